"""A Kubernetes cluster as a platform: a run is a namespace of pods, one for each component.

In every pod runs `agent`, which starts the component and speaks for it; in a pod of its own runs
`hub`, the run's journal and post office. The coordinator reads the hub through the API server, so
that no pod needs to be reachable from outside of the cluster.
"""
