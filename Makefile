# The commands a person types. Each installs what it needs first; scripts/ holds the steps.
.PHONY: run test test-release lint bench build console setup clean release python

run: ## install what is missing, build, start on this machine, print the console's address and the first sign-in
	@scripts/run.sh

test: ## install what is missing, run everything
	@scripts/test.sh

test-release: ## the heavy suites on release binaries: 200 crashes, pulled plugs, full disks
	@scripts/test_release.sh

lint: ## fmt, clippy with warnings denied, eslint, cargo deny
	@scripts/lint.sh

bench: ## release build, workloads beside their peers, one table with ratios (bench/RESULTS.md)
	@scripts/bench.sh

release: ## release binaries with the console inside
	@scripts/release.sh

python: ## the wheel of the Python package watchkeeper-kql, to target/wheels
	@scripts/python.sh

console: ## the web console to console/dist
	@scripts/console.sh

setup: ## install what tests need
	@scripts/setup.sh test
