//! Floor 1: the traits between rooms, the Catalog, the spanned document tree that kinds read.
