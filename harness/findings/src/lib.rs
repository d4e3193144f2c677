//! Floor 2: run to Findings to Verdicts. Pure.
