//! Floor 3: report kinds, one file each, and the Report trait.
