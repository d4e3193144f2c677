//! Floor 2: walks the timeline, opens and closes windows, resolves targets, publishes Conditions.
