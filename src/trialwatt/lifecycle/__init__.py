"""The seven steps around one run: deploy, setup, trials, collect, test, metrics, undeploy."""
