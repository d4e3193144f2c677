//! What this machine can do, tried and not looked up.

use crate::{exit::Exit, say};

pub(crate) fn doctor(_json: bool) -> Exit {
    say::error("not built");
    Exit::Usage
}
