//! Floor 2: fleets, schedules, recorder, deadlines. Knows no protocol.
