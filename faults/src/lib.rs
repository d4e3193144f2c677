//! Floor 2: fault kinds, one file each, pure.
