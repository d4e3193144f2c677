//! Data to stdout, talk to stderr. NO_COLOR and pipes get plain text.
//!
//! Talk that cannot be written is dropped: nothing may hang on a display. Data that cannot be written is an error, since somebody asked
//! for it; a reader that has seen enough is none.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use crate::exit::Exit;

pub(crate) fn talk(words: &str) {
    let _nobody_reads = anstream::stderr().write_all(format!("{words}\n").as_bytes());
}

pub(crate) fn error(words: &str) {
    let red: Style = AnsiColor::Red.on_default().bold();
    talk(&format!("{red}error{red:#}: {words}"));
}

/// # Errors
/// It could not be written; that is told, and this is the exit code.
pub(crate) fn styled(text: &str) -> Result<(), Exit> {
    told(written(&mut anstream::stdout(), text))
}

/// One line, or several.
///
/// # Errors
/// It could not be written; that is told, and this is the exit code.
pub(crate) fn data(text: &str) -> Result<(), Exit> {
    told(written(&mut io::stdout(), &format!("{}\n", text.trim_end_matches('\n'))))
}

/// # Errors
/// It could not be written; that is told, and this is the exit code.
pub(crate) fn json(value: &Value) -> Result<(), Exit> {
    data(&serde_json::to_string_pretty(value).expect("a JSON value is plain data"))
}

/// What the parser of the command line has to say when somebody asked for it, such as the help.
///
/// # Errors
/// It could not be written; that is told, and this is the exit code.
pub(crate) fn answer(asked: &clap::Error) -> Result<(), Exit> {
    told(enough(asked.print().and_then(|()| io::stdout().flush())))
}

/// Without colours.
pub(crate) fn plain(styled: &str) -> String {
    anstream::adapter::strip_str(styled).to_string()
}

fn told(written: io::Result<()>) -> Result<(), Exit> {
    written.map_err(|why| {
        error(&format!("failed to write to standard output: {why}"));
        Exit::BrokeOff
    })
}

fn written(out: &mut impl Write, text: &str) -> io::Result<()> {
    enough(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Whoever reads may have seen enough, as `head` does.
fn enough(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes, then fails like this.
    struct Full(usize, io::ErrorKind);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let taken = bytes.len().min(self.0);
            self.0 -= taken;
            if taken == 0 && !bytes.is_empty() { Err(self.1.into()) } else { Ok(taken) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn data_that_is_not_written_to_its_end_is_an_error_unless_nobody_wants_more() {
        let text = "0123456789";
        for room in 0..text.len() {
            let full = written(&mut Full(room, io::ErrorKind::StorageFull), text);
            assert_eq!(full.expect_err("no room").kind(), io::ErrorKind::StorageFull);
            written(&mut Full(room, io::ErrorKind::BrokenPipe), text).expect("it was enough");
        }
        written(&mut Full(text.len(), io::ErrorKind::StorageFull), text).expect("it just fits");
    }
}
