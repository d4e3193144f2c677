//! Floor 2: scenario text to Plan, or every mistake at once.
