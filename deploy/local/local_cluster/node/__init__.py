"""The node: a program that stands in for the kubelet and runs pods as process trees of this machine."""
