# Sugar: each target is one command of ./run, which needs nothing but Python.
.PHONY: run test bench ci
run:
	./run
test:
	./run test
bench:
	./run bench $(NAME)
ci:
	.ci/run
