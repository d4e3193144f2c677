//! Floor 1: the packet switch. A pure core that is told the time, and thin TUN and AF_PACKET shells.
