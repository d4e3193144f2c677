//! Which levers this lab can pull at nodes. What links can do is the list of the fabric.

use model::Lever;

/// What nodes of this lab can do.
pub(crate) fn does_to_nodes(lever: Lever) -> bool {
    match lever {
        Lever::Stop | Lever::Freeze | Lever::Terminate | Lever::Crash | Lever::PowerLoss => true,
        Lever::Cut
        | Lever::CutPorts
        | Lever::Reject
        | Lever::RejectPorts
        | Lever::Jam
        | Lever::JamPorts
        | Lever::Delay
        | Lever::Jitter
        | Lever::Loss
        | Lever::Duplicate
        | Lever::Corrupt
        | Lever::Reorder
        | Lever::Rate
        | Lever::Mtu => false,
        // Not yet.
        Lever::DiskDelay
        | Lever::DiskError
        | Lever::DiskFull
        | Lever::DiskStall
        | Lever::ClockOffset
        | Lever::ClockRate => false,
        // The fleets' own.
        Lever::Disconnect | Lever::Silence => false,
    }
}
