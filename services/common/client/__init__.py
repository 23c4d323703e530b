"""The typed clients of the orchestrator, which the CLI and the gateway use themselves.

    with Client("127.0.0.1:50050") as client:
        mesh = client.generate_mesh(Path("mug.jpg").read_bytes(), mask=MaskOptions(preset="quality"))
        Path("mug.glb").write_bytes(mesh.data)

    async with AsyncClient("127.0.0.1:50050") as client:
        mesh = await client.generate_mesh(photo)

Every call raises the errors of `services.common.errors`. The `stream_…` calls yield progress before the result; closing
their iterator, or cancelling the task that waits for it, cancels the request on all stages.
"""

from services.common.client.async_client import AsyncClient, result_of
from services.common.client.calls import CutoutResult, MeshResult, Progress
from services.common.client.sync_client import Client

__all__ = ["AsyncClient", "Client", "CutoutResult", "MeshResult", "Progress", "result_of"]
