"""What any Kubernetes-style API server needs; knows no kind by name."""
