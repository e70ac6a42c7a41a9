"""A real Kubernetes on this machine: the control plane, with fake nodes or with one real node.

Library code, as the rest of `tests.services`. `python -m tests.services.kubernetes up` runs one for
a person; `cluster.py` has what tests do with it.
"""
