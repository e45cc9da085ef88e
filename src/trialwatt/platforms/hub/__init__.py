"""The hub of a run: what components on other machines write down and are told, over HTTP."""
