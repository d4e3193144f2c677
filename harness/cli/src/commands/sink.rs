//! `wetdress sink`: a small server that receives readings.

use basic::{Sink, SinkArgs};
use serde_json::json;

use crate::{console, exit::Exit};

pub(crate) fn sink(args: &SinkArgs) -> Result<Exit, Exit> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|why| failed(&format!("start a runtime: {why}")))?;
    runtime.block_on(async {
        let sink = Sink::bind(args).map_err(|error| failed(&error.to_string()))?;
        let address = sink.address();
        match args.json {
            true => console::data(&json!({"listening": address}).to_string())?,
            false => console::talk(&format!("listening on http://{address}, until ctrl-c")),
        }
        let counts = sink.serve().await.map_err(|error| {
            failed(&error.to_string());
            Exit::BrokeOff
        })?;
        let counts = serde_json::to_value(counts).expect("counts are plain data");
        match args.json {
            true => console::data(&counts.to_string())?,
            false => console::json(&counts)?,
        }
        Ok(Exit::Pass)
    })
}

/// It did not come up.
fn failed(why: &str) -> Exit {
    console::error(&format!("failed to {why}"));
    Exit::NotUp
}
