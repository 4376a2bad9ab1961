"""Trainings by transformers' Trainer for the tests of its callback."""

import torch
import transformers

import live_models


class Pictures(torch.utils.data.Dataset):
    def __init__(self):
        self.pixels = torch.randn(12, 3, 32, 32, generator=torch.Generator().manual_seed(1))

    def __len__(self):
        return 12

    def __getitem__(self, index):
        return {"pixel_values": self.pixels[index], "labels": index % 3}


def trainer(folder, callbacks, epochs=2, seed=0):
    transformers.utils.logging.set_verbosity_error()
    torch.manual_seed(seed)
    config = transformers.ViTConfig(**live_models.VISION, num_labels=3, hidden_dropout_prob=0.1)
    arguments = transformers.TrainingArguments(
        str(folder),
        num_train_epochs=epochs,
        per_device_train_batch_size=4,
        save_strategy="steps",
        save_steps=2,
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        logging_strategy="no",
        seed=0,
        dataloader_pin_memory=False,
    )
    model = transformers.ViTForImageClassification(config)
    return transformers.Trainer(model, arguments, train_dataset=Pictures(), callbacks=callbacks)


def trained(folder, callbacks, resume=None, seed=0):
    """The weights behind two epochs of three steps."""
    made = trainer(folder, callbacks, seed=seed)
    made.train(resume_from_checkpoint=resume and str(resume))
    return {name: tensor.clone() for name, tensor in made.model.state_dict().items()}
