//! Reads bodies, bounded in bytes and in time, whatever length they announce.

use std::{pin::pin, time::Duration};

use futures_util::StreamExt as _;
use poem::Body;

use super::{Failure, code::Code, limits::LINGER_BYTES};

/// Bytes for which a client is given the time to read a request once more.
const MIB: usize = 1024 * 1024;

/// Reads a body of at most `limit` bytes. Each MiB of it may take `millis`.
pub(super) async fn read(body: Body, limit: usize, millis: u64) -> Result<Vec<u8>, Failure> {
    let patience = Duration::from_millis(millis);
    let mut waited = pin!(tokio::time::sleep(patience));
    let mut chunks = pin!(body.into_bytes_stream());
    let (mut read, mut received, mut granted) = (Vec::new(), 0_usize, MIB);
    loop {
        let chunk = tokio::select! {
            chunk = chunks.next() => chunk,
            () = &mut waited => return Err(slow(millis)),
        };
        let Some(chunk) = chunk else { break };
        let chunk = chunk.map_err(|error| Failure::new(Code::BAD_REQUEST, format!("the body broke off: {error}; send it again")))?;
        received = received.saturating_add(chunk.len());
        if received <= limit {
            read.extend_from_slice(&chunk);
        } else if received > limit.saturating_add(LINGER_BYTES) {
            break;
        }
        while received > granted {
            granted = granted.saturating_add(MIB);
            let deadline = waited.deadline() + patience;
            waited.as_mut().reset(deadline);
        }
    }
    if received > limit {
        return Err(Failure::new(Code::LIMIT_EXCEEDED, format!("the body has more than {limit} bytes; send less at once")));
    }
    Ok(read)
}

fn slow(millis: u64) -> Failure {
    Failure::new(Code::REQUEST_TIMEOUT, format!("the body did not arrive within {millis} ms for each MiB; send it faster"))
        .with_header("connection", "close")
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    #[tokio::test]
    async fn bytes_are_counted_as_they_come() {
        let chunks = |sizes: &[usize]| {
            let chunks: Vec<_> = sizes.iter().map(|size| Ok::<_, std::io::Error>(vec![b'x'; *size])).collect();
            Body::from_bytes_stream(stream::iter(chunks))
        };
        assert_eq!(read(chunks(&[]), 100, 1_000).await, Ok(vec![]));
        assert_eq!(read(chunks(&[60, 40]), 100, 1_000).await, Ok(vec![b'x'; 100]));
        assert_eq!(read(chunks(&[60, 41]), 100, 1_000).await.unwrap_err().code, Code::LIMIT_EXCEEDED);
        assert_eq!(read(chunks(&[LINGER_BYTES; 9]), 100, 1_000).await.unwrap_err().code, Code::LIMIT_EXCEEDED);
    }

    #[tokio::test]
    async fn a_body_that_never_ends_is_given_up() {
        let endless = stream::once(async { Ok::<_, std::io::Error>(vec![b'x']) }).chain(stream::pending());
        assert_eq!(read(Body::from_bytes_stream(endless), 100, 20).await.unwrap_err().code, Code::REQUEST_TIMEOUT);
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_told() {
        let broken = stream::iter([Ok(vec![b'x']), Err(std::io::Error::other("reset"))]);
        assert_eq!(read(Body::from_bytes_stream(broken), 100, 1_000).await.unwrap_err().code, Code::BAD_REQUEST);
    }
}
