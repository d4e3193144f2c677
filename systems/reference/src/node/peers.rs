//! The side that peers call.

use std::{io, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::{sleep, timeout},
};

use super::{
    server::Node,
    wire::{Answer, Hello, Numbered, Refusal, Request, frame, read},
};

/// A peer that is there pings twice a second.
const SILENCE: Duration = Duration::from_secs(5);
/// How long a shard's proposals may wait for its home to take over.
const HANDOVER: Duration = Duration::from_secs(1);

pub(crate) async fn serve(node: Arc<Node>, listener: TcpListener) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => drop(tokio::spawn(converse(node.clone(), stream))),
            // Out of file descriptors: let some go first.
            Err(_) => sleep(Duration::from_millis(50)).await,
        }
    }
}

/// Until the peer leaves, falls silent or talks nonsense; it dials again.
async fn converse(node: Arc<Node>, stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (from, mut to) = stream.into_split();
    let mut from = BufReader::new(from);
    let _: Hello = timeout(SILENCE, read(&mut from)).await??;
    to.write_all(&frame(&node.hello)).await?;
    let (tell, mut answers) = mpsc::unbounded_channel::<Vec<u8>>();
    let writing = async {
        while let Some(mut bytes) = answers.recv().await {
            while let Ok(more) = answers.try_recv() {
                bytes.extend(more);
            }
            to.write_all(&bytes).await?;
        }
        Ok(())
    };
    let reading = async {
        loop {
            let request: Numbered<Request> = timeout(SILENCE, read(&mut from)).await??;
            let (node, tell) = (node.clone(), tell.clone());
            tokio::spawn(async move {
                let body = answer(&node, request.body).await;
                // The peer may be gone by now.
                let _ = tell.send(frame(&Numbered { number: request.number, body }));
            });
        }
    };
    tokio::select! {
        result = reading => result,
        result = writing => result,
    }
}

async fn answer(node: &Node, request: Request) -> Answer {
    match request {
        Request::Ping => Answer::Pong,
        Request::Append { shard, rpc } => match node.shard(shard) {
            Some(shard) => {
                shard.raft.append_entries(rpc).await.map_or(Answer::Gone, Answer::Append)
            }
            None => Answer::Gone,
        },
        Request::Vote { shard, rpc } => match node.shard(shard) {
            Some(shard) => shard.raft.vote(rpc).await.map_or(Answer::Gone, Answer::Vote),
            None => Answer::Gone,
        },
        Request::Propose { shard, payload } => Answer::Proposed(node.propose(shard, payload).await),
        Request::ReadIndex { shard } => match node.shard(shard) {
            Some(shard) => Answer::ReadIndex(super::reads::index_as_leader(shard).await),
            None => Answer::ReadIndex(Err(Refusal::NoLeader)),
        },
        Request::StepAside { shard, to } => match node.shard(shard) {
            Some(shard) if shard.leads() => {
                Answer::SteppedAside(shard.step_aside(to, HANDOVER).await)
            }
            _ => Answer::SteppedAside(false),
        },
    }
}
