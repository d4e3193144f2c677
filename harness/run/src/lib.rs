//! Floor 1: the run folder. Appends events and ledger, reads them back, also after a crash.
