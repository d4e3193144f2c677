//! Floor 2: the rootless lab on one machine: namespaces, nodes, processes, over the userspace fabric.
