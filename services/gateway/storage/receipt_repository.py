"""Receipts for a while, under the id of the request that they belong to."""

from __future__ import annotations

import json
from typing import Any, TypeAlias

from services.gateway.storage.store import Store

ReceiptJson: TypeAlias = dict[str, Any]


class ReceiptRepository:
    """Keeps receipts in a store.

    Args:
        store: where.
        ttl_s: how long each, in seconds.
    """

    def __init__(self, store: Store, ttl_s: float) -> None:
        self._store = store
        self._ttl_s = ttl_s

    async def put(self, request_id: str, receipt: ReceiptJson) -> None:
        """Keep `receipt`; an older one of the same id is replaced.

        Raises:
            StageUnavailable: the store cannot be reached.
        """
        await self._store.put(_key(request_id), json.dumps(receipt).encode(), self._ttl_s)

    async def get(self, request_id: str) -> ReceiptJson | None:
        """Return the receipt, or None where there is none (any more).

        Raises:
            StageUnavailable: the store cannot be reached.
        """
        found = await self._store.get(_key(request_id))
        return None if found is None else dict(json.loads(found))


def _key(request_id: str) -> str:
    return f"receipt:{request_id}"
