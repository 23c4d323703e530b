"""Options of both ends of a gRPC connection, from one set of constants.

Traps behind the values: requests above 256 KiB are silently never retried unless the retry buffer is raised; a second
server binds the same port silently while SO_REUSEPORT is on; DNS is asked again only when a connection breaks, so
connections get an age; a connection's grace would kill long mesh calls, so none is set.
"""

from __future__ import annotations

import json
from typing import TypeAlias

import grpc
import grpc.aio

from services.common.calling.renewing_channels import Renewal, RenewingAioChannel, RenewingChannel
from services.common.tls import Certificate, Identity, channel_credentials

ChannelOption: TypeAlias = tuple[str, str | int]

DEFAULT_TIMEOUT_S = 120.0  # of a request whose caller states none
MIB = 1 << 20
MAX_MESSAGE_BYTES = 512 * MIB  # a 50-megapixel 16-bit picture with room
RETRY_BUFFER_BYTES = 64 * MIB  # a working image (≤ 1024² × 3) and its companions fit many times

_KEEPALIVE_MS = 30_000
_MESSAGE_LIMITS: list[ChannelOption] = [
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
]

_SERVICE_CONFIG: dict[str, object] = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                # About 1.5 s in all: longer than it takes to ask DNS again when every replica known so far is gone.
                "maxAttempts": 5,
                "initialBackoff": "0.1s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2,
                # RESOURCE_EXHAUSTED is not retried: shedding load must not make more of it.
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ],
    # A replica that dies takes all its calls with it: half the tokens must be more than one computes and queues.
    "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1},
}


def server_options(max_connection_age_s: float) -> list[ChannelOption]:
    """Return the options of a server."""
    return [
        *_MESSAGE_LIMITS,
        ("grpc.so_reuseport", 0),
        ("grpc.max_connection_age_ms", round(max_connection_age_s * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", _KEEPALIVE_MS // 2),
    ]


def client_options() -> list[ChannelOption]:
    """Return the options of a channel: traffic spread over all replicas, quick reconnects, a few retries."""
    return [
        *_MESSAGE_LIMITS,
        ("grpc.enable_http_proxy", 0),  # http_proxy is meant for the web; services stand on loopback or in one cluster
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.per_rpc_retry_buffer_size", RETRY_BUFFER_BYTES),
        ("grpc.dns_min_time_between_resolutions_ms", 1_000),
        ("grpc.initial_reconnect_backoff_ms", 200),
        ("grpc.min_reconnect_backoff_ms", 200),
        ("grpc.max_reconnect_backoff_ms", 5_000),
        ("grpc.enable_retries", 1),
        ("grpc.service_config", json.dumps(_SERVICE_CONFIG)),
    ]


def open_channel(address: str, identity: Identity | None) -> grpc.Channel:
    """Return a channel to `address`: plaintext without an identity, mutual TLS with one."""
    options = client_options()

    def reopen(certificate: Certificate | None) -> grpc.Channel:
        if certificate is None:
            return grpc.insecure_channel(address, options=options)
        return grpc.secure_channel(address, channel_credentials(certificate), options=options)

    return reopen(None) if identity is None else RenewingChannel(Renewal(identity), reopen)


def open_aio_channel(address: str, renewal: Renewal) -> grpc.aio.Channel:
    """Return the same for coroutines, opened anew also when `renewal` is asked; call it where a loop runs."""
    options = client_options()

    def reopen(certificate: Certificate | None) -> grpc.aio.Channel:
        if certificate is None:
            return grpc.aio.insecure_channel(address, options=options)
        return grpc.aio.secure_channel(address, channel_credentials(certificate), options=options)

    return RenewingAioChannel(renewal, reopen)
