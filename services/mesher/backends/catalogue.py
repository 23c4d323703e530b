"""Which meshers there are. A new one is a row here.

auto                the best that can run here
triposr[?options]   TripoSR, where its weights are in the model store and torch is installed
inflate             the embedded one, always there
"""

from __future__ import annotations

from services.common.backends.backend_catalogue import Catalogue, Resources, Row
from services.mesher.backends.base import Backend
from services.mesher.backends.inflate import open_inflate
from services.mesher.backends.triposr import open_triposr

BACKENDS: Catalogue[Resources, Backend] = Catalogue(
    "mesher",
    (
        Row("triposr", open_triposr, "triposr", libraries=("torch",), install="torch", batches=True),
        Row("inflate", open_inflate),
    ),
    auto=("triposr", "inflate"),
)
