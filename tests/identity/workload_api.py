"""A SPIFFE Workload API for tests: serves over a Unix socket whatever it is told to."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc  # type: ignore[import-untyped] # it ships no types
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from spiffe._proto import workload_pb2, workload_pb2_grpc

from tests.identity.authority import Authority, Issued, key_der


class WorkloadApi(workload_pb2_grpc.SpiffeWorkloadAPIServicer):
    """Speaks to any number of streams; each gets the latest answer first, then every new one."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self._answer: workload_pb2.X509SVIDResponse | None = None
        self._streams: list[queue.Queue[workload_pb2.X509SVIDResponse | None]] = []
        self._lock = threading.Lock()
        self._server = grpc.server(ThreadPoolExecutor(8))
        register = workload_pb2_grpc.add_SpiffeWorkloadAPIServicer_to_server
        register(self, self._server)  # type: ignore[no-untyped-call] # generated code
        self._server.add_insecure_port(f"unix:{socket}")
        self._server.start()

    def serve(
        self, authority: Authority, *svids: Issued, federated: Sequence[Authority] = ()
    ) -> None:
        """Answers with these SVIDs from now on."""
        bundles: Mapping[str, bytes] = {
            f"spiffe://{each.trust_domain}": each.der for each in federated
        }
        self._answer = workload_pb2.X509SVIDResponse(
            svids=[_entry(authority, each) for each in svids], federated_bundles=bundles
        )
        with self._lock:
            for stream in self._streams:
                stream.put(self._answer)

    def FetchX509SVID(
        self, request: workload_pb2.X509SVIDRequest, context: grpc.ServicerContext
    ) -> Iterator[workload_pb2.X509SVIDResponse]:
        if ("workload.spiffe.io", "true") not in [
            tuple(each) for each in context.invocation_metadata()
        ]:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, "security header missing")
        stream: queue.Queue[workload_pb2.X509SVIDResponse | None] = queue.Queue()
        context.add_callback(lambda: stream.put(None))
        with self._lock:
            self._streams.append(stream)
            if self._answer is not None:
                stream.put(self._answer)
        while (answer := stream.get()) is not None:
            yield answer

    def stop(self) -> None:
        """Hangs up on everyone, as an agent does that is killed."""
        with self._lock:
            for stream in self._streams:
                stream.put(None)
        self._server.stop(0).wait()


def _entry(authority: Authority, issued: Issued) -> workload_pb2.X509SVID:
    names = issued.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    [spiffe_id] = names.value.get_values_for_type(x509.UniformResourceIdentifier)
    return workload_pb2.X509SVID(
        spiffe_id=spiffe_id,
        x509_svid=issued.certificate.public_bytes(serialization.Encoding.DER),
        x509_svid_key=key_der(issued.key),
        bundle=authority.der,
    )
