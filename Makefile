# Everything is done by scripts/; each target installs what it needs and is safe to repeat.
.PHONY: help demo test bench lint install

help:
	@echo "make demo                        build, start a private PostgreSQL, load real data, run real queries"
	@echo "                                 (KEEP=1 leaves the server running, PG=17 chooses a version)"
	@echo "make test                        all tests on every supported PostgreSQL (PG=17: on one;"
	@echo "                                 LAYERS='core regress': only those, see scripts/test.sh)"
	@echo "make install PG_CONFIG=...       an optimised build into that PostgreSQL installation"
	@echo "make bench                       measure; results go to benches/results"
	@echo "make lint                        formatting, clippy, documentation, dependencies"

demo test bench lint:
	@bash scripts/$@.sh

install:
	@PG_CONFIG="$(PG_CONFIG)" bash scripts/install.sh
