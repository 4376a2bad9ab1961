# make        install what is missing (Debian packages) and build build/release/samebits
# make demo   explain the example: three routes of one model, and why their outputs differ
# make test   what must hold, in half an hour on two quiet cores; the last line counts what passed and failed
# make test-long  the same in full: every float32, the whole matrix, base size, ThreadSanitizer, long fuzzing
# make check  the inner loop: build, unit tests, layers, format
# make bench  measure the program against what people use today
# make wheel  build the Python wheel into build/wheel
# make fuzz   build the libFuzzer programs in build/fuzz
# make format rewrite the C++ files in the project's format
SHELL := /bin/bash
.PHONY: all demo test test-long check bench wheel fuzz format clean

EXAMPLE := explain hf whole.pth statedict.pth

all:
	@tools/install_packages.sh build
	@cmake --preset release >/dev/null
	@cmake --build --preset release --target samebits
	@echo "built build/release/samebits"

# The answer "different" has exit status 1; 2 would mean that the program could not tell.
demo: all
	@echo "$$ cd examples/vit-mae-tiny"
	@echo "$$ samebits $(EXAMPLE)"
	@cd examples/vit-mae-tiny && ../../build/release/samebits $(EXAMPLE) || [ $$? -eq 1 ]

test:
	@tools/install_packages.sh test
	@python3 tools/run_tests.py test

test-long:
	@tools/install_packages.sh test
	@python3 tools/run_tests.py test-long

check:
	@tools/install_packages.sh check
	@python3 tools/run_tests.py check

bench: all
	@tools/install_packages.sh bench
	@cmake --preset bench >/dev/null && cmake --build --preset bench --target kernels_bench
	@python=$$(python3 tools/make_venvs.py peers) && export SAMEBITS=$(CURDIR)/build/release/samebits && failed=0 && \
	  for bench in kernels files tensors forward train processes peers; do $$python bench/$$bench.py || failed=1; done; \
	  python3 tools/make_wheel.py --site && PYTHONPATH=build/wheel/site $$python bench/python.py || failed=1; exit $$failed

wheel:
	@tools/install_packages.sh wheel
	@python3 tools/make_wheel.py

fuzz:
	@tools/install_packages.sh fuzz
	@cmake --preset fuzz >/dev/null
	@cmake --build --preset fuzz --target fuzzers

format:
	@tools/install_packages.sh check
	@find samebits python fuzz bench mpi -name '*.cc' -o -name '*.h' -o -name '*.c' | xargs clang-format-19 -i

clean:
	rm -rf build
