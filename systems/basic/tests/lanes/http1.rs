//! The contract of a lane, for HTTP/1.1.

use model::{
    Identity,
    Outcome::{Acked, Refused, Unknown},
};
use seams::{ConnId, Disconnect, Progress};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::yield_now,
};

use crate::rig::{Rig, answer, local, payload, request};

const OK: &str = "HTTP/1.1 204 No Content\r\nwetdress-position: 7\r\n\r\n";

#[test]
fn a_request_is_plain_and_an_ack_says_where() {
    local(async {
        let mut rig = Rig::new(json!({"path": "/in/box?x=1"})).await;
        let mut server = rig.line(3).await;
        rig.takes(&[(5, 3)]);
        let (head, body) = request(&mut server).await;
        let host = rig.listener.local_addr().expect("bound");
        let expected = format!(
            "POST /in/box?x=1 HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/octet-stream\r\ncontent-length: 66\r\n\r\n"
        );
        assert_eq!(head, expected);
        assert_eq!(body, payload(Identity { asset: 3, stream: 0, boot: 1, seq: 5 }, 10));
        server.write_all(OK.as_bytes()).await.expect("open");
        assert!(matches!(rig.next().await, Progress::Sent { ticket: 5, .. }));
        match rig.next().await {
            Progress::Done { ticket, outcome, at, by, position } => {
                assert_eq!((ticket, outcome, position), (5, Acked, Some(7)));
                assert!(by.is_some() && at.0 > 0);
            }
            other => panic!("{other:?}"),
        }
    });
}

#[test]
fn statuses_mean_what_the_policy_says_and_the_connection_goes_on() {
    local(async {
        let mut rig = Rig::new(json!({"refused": [503]})).await;
        let mut server = rig.line(0).await;
        let answers = [
            (200, Acked),
            (404, Refused),
            (429, Refused),
            (500, Unknown),
            (502, Unknown),
            (503, Refused),
            (408, Unknown),
            (303, Unknown),
        ];
        for (ticket, (status, outcome)) in (1..).zip(answers) {
            rig.takes(&[(ticket, 0)]);
            answer(&mut server, &format!("HTTP/1.1 {status} x\r\ncontent-length: 3\r\n\r\nabc"))
                .await;
            assert_eq!(rig.done(ticket).await, (outcome, None), "{status}");
        }
    });
}

#[test]
fn an_answer_may_come_byte_by_byte_in_chunks_and_after_interim_ones() {
    local(async {
        let mut rig = Rig::new(json!({})).await;
        let mut server = rig.line(0).await;
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n\
                    4;x=y\r\nbody\r\n0\r\ntrailer: 1\r\n\r\n";
        for ticket in 1..4 {
            rig.takes(&[(ticket, 0)]);
            request(&mut server).await;
            let (all, last) = text.as_bytes().split_at(text.len() - 1);
            for byte in all {
                server.write_all(&[*byte]).await.expect("open");
                let said = rig.rest().await;
                assert!(!said.iter().any(|said| matches!(said, Progress::Done { .. })), "{said:?}");
            }
            server.write_all(last).await.expect("open");
            assert_eq!(rig.done(ticket).await, (Acked, None));
        }
    });
}

#[test]
fn a_connection_closed_between_requests_goes_down_and_the_next_reading_is_not_lost() {
    local(async {
        let mut rig = Rig::new(json!({})).await;
        let mut server = rig.line(0).await;
        rig.takes(&[(1, 0)]);
        answer(&mut server, OK).await;
        assert_eq!(rig.done(1).await.0, Acked);
        drop(server);
        assert_eq!(rig.down(0).await, "the server closed the connection");
        rig.takes(&[(2, 0)]);
        assert_eq!(rig.done(2).await.0, Refused, "nothing of it has left");
        let mut again = rig.line(0).await;
        rig.takes(&[(3, 0)]);
        answer(&mut again, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            .await;
        assert_eq!(rig.done(3).await.0, Acked);
        assert_eq!(rig.down(0).await, "the server keeps no connection after an answer");
    });
}

#[test]
fn a_reading_is_unknown_once_a_byte_of_it_has_left() {
    local(async {
        let mut rig = Rig::new(json!({})).await;
        // Reset, closed, closed within an answer, and answered with something else.
        for (ticket, said) in (1..).zip([
            None,
            Some(""),
            Some("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"),
            Some("SSH-2.0\r\n"),
        ]) {
            let mut server = rig.line(0).await;
            rig.takes(&[(ticket, 0)]);
            match said {
                None => {
                    request(&mut server).await;
                    server.set_zero_linger().expect("a socket");
                }
                Some(said) => answer(&mut server, said).await,
            }
            drop(server);
            assert_eq!(rig.done(ticket).await, (Unknown, None), "{said:?}");
            rig.down(0).await;
        }
        // A refusal was heard, whatever becomes of its body.
        let mut server = rig.line(0).await;
        rig.takes(&[(9, 0)]);
        answer(&mut server, "HTTP/1.1 400 Bad\r\ncontent-length: 9\r\n\r\nhalf").await;
        drop(server);
        assert_eq!(rig.done(9).await, (Refused, None));
    });
}

#[test]
fn a_full_connection_refuses_its_own_readings_and_delays_nobody() {
    local(async {
        let mut rig = Rig::new(json!({})).await;
        let (mut first, mut second) = (rig.line(0).await, rig.line(1).await);
        assert_eq!(rig.submit(&[(1, 0), (2, 0), (3, 1), (4, 0), (5, 1)]), [1, 3, 4]);
        answer(&mut second, OK).await;
        assert_eq!(rig.done(3).await.0, Acked);
        assert_eq!(rig.submit(&[(2, 0), (5, 1)]), [0]);
        answer(&mut second, OK).await;
        assert_eq!(rig.done(5).await.0, Acked);
        answer(&mut first, OK).await;
        assert_eq!(rig.done(1).await.0, Acked);
        rig.takes(&[(2, 0)]);
        answer(&mut first, OK).await;
        assert_eq!(rig.done(2).await.0, Acked);
    });
}

/// Whatever the client sends beyond what it was asked to would be a retry of its own.
#[test]
fn an_ack_that_is_swallowed_is_never_asked_for_again() {
    local(async {
        let mut rig = Rig::new(json!({})).await;
        let mut server = rig.line(0).await;
        rig.takes(&[(1, 0)]);
        request(&mut server).await;
        rig.lane.abandon(1);
        // The connection takes readings again, so that their deadlines run, and sends nothing before the answer.
        rig.takes(&[(2, 0), (3, 0)]);
        let said = rig.rest().await;
        assert!(
            !said.iter().any(|said| !matches!(said, Progress::Sent { ticket: 1, .. })),
            "{said:?}"
        );
        nothing_comes(&mut server).await;
        rig.lane.abandon(2);
        server.write_all(OK.as_bytes()).await.expect("open");
        assert_eq!(rig.done(1).await.0, Acked, "late, and of no interest");
        let (_, body) = request(&mut server).await;
        assert_eq!(body, payload(Identity { asset: 0, stream: 0, boot: 1, seq: 3 }, 10));
        server.write_all(OK.as_bytes()).await.expect("open");
        assert_eq!(rig.done(3).await.0, Acked);
        nothing_comes(&mut server).await;
    });
}

#[test]
fn an_ack_that_comes_twice_is_not_taken_for_the_next_readings() {
    local(async {
        let mut rig = Rig::new(json!({})).await;
        let mut server = rig.line(0).await;
        rig.takes(&[(1, 0)]);
        answer(&mut server, &format!("{OK}{OK}")).await;
        assert_eq!(rig.done(1).await.0, Acked);
        assert_eq!(rig.down(0).await, "the server said more than it was asked");
        // The second one later.
        let mut server = rig.line(0).await;
        rig.takes(&[(2, 0)]);
        answer(&mut server, OK).await;
        assert_eq!(rig.done(2).await.0, Acked);
        server.write_all(OK.as_bytes()).await.expect("open");
        assert_eq!(rig.down(0).await, "the server spoke without being asked");
    });
}

#[test]
fn a_payload_larger_than_the_sockets_room_is_written_as_it_empties() {
    local(async {
        let mut rig = Rig::new(json!({})).await;
        let mut servers = vec![];
        for conn in 0..40 {
            servers.push(rig.line(conn).await);
        }
        // Each is larger than many a socket's buffer; together they are larger than all of them.
        let all: Vec<(u32, u32)> = (0..40).map(|conn| (conn, conn)).collect();
        assert!(rig.submit_sized(&all, 65_535).is_empty());
        for (ticket, server) in (0..).zip(&mut servers) {
            let reading = async { answer(server, OK).await };
            let (_, done) = tokio::join!(reading, async {
                loop {
                    match rig.next().await {
                        Progress::Done { ticket, outcome, .. } => break (ticket, outcome),
                        Progress::Sent { .. } => {}
                        other => panic!("{other:?}"),
                    }
                }
            });
            assert_eq!(done, (ticket, Acked));
        }
    });
}

#[test]
fn a_connection_that_was_given_up_is_parted_with_as_told_and_not_spoken_of() {
    local(async {
        let mut rig = Rig::new(json!({})).await;
        for how in [Disconnect::Close, Disconnect::Reset, Disconnect::Silent] {
            let mut server = rig.line(0).await;
            rig.lane.disconnect(ConnId(0), how);
            let mut buffer = [0; 8];
            match how {
                Disconnect::Close => assert_eq!(server.read(&mut buffer).await.expect("an end"), 0),
                Disconnect::Reset => assert!(server.read(&mut buffer).await.is_err()),
                Disconnect::Silent => nothing_comes(&mut server).await,
            }
            server.write_all(OK.as_bytes()).await.ok();
            drop(server);
            assert!(rig.rest().await.is_empty());
        }
        // Also while it is being made, and when it was found broken before.
        rig.connect(1);
        rig.lane.disconnect(ConnId(1), Disconnect::Close);
        let server = rig.line(2).await;
        drop(server);
        yield_now().await;
        rig.submit(&[(1, 2)]);
        rig.lane.disconnect(ConnId(2), Disconnect::Close);
        let said = rig.rest().await;
        assert!(
            !said.iter().any(|said| matches!(said, Progress::Up { .. } | Progress::Down { .. })),
            "{said:?}"
        );
    });
}

#[test]
fn where_nobody_listens_a_connection_goes_down() {
    local(async {
        let mut rig = Rig::new(json!({})).await;
        rig.listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        rig.connect(0);
        assert_eq!(rig.down(0).await, "the node cannot be reached");
        rig.takes(&[(1, 0), (2, 5)]);
        assert_eq!(rig.done(1).await.0, Refused);
        assert_eq!(rig.done(2).await.0, Refused, "a connection that was never asked for");
    });
}

/// Looks for a while whether anything arrives: what was sent before is there already.
async fn nothing_comes(server: &mut TcpStream) {
    for _ in 0..20 {
        yield_now().await;
        let mut buffer = [0; 64];
        match server.try_read(&mut buffer) {
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
            Ok(read) => panic!("{:?} came", &buffer[..read]),
        }
    }
}
