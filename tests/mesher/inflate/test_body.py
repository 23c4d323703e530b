import numpy as np
import numpy.typing as npt
import pytest

from services.mesher.inflate.body import fit_body
from services.mesher.inflate.silhouette import Silhouette, trace_silhouette
from services.mesher.inflate.thickness import circle_profile

Field = npt.NDArray[np.float32]


@pytest.fixture
def outline(disc: Field) -> Silhouette:
    return trace_silhouette(np.clip(disc + 0.5, 0, 1).astype(np.float32), 12_000)


@pytest.fixture
def bulge(outline: Silhouette) -> Field:
    return circle_profile(outline)


def leaning(outline: Silhouette, slope: float) -> Field:
    rows = np.arange(outline.mask.shape[0], dtype=np.float32)[:, None]
    return np.asarray(400 + slope * (rows - rows.mean()) + np.zeros(outline.mask.shape, np.float32), np.float32)


def test_ball_is_believed_and_its_back_lies_behind_its_front_by_its_thickness(
    outline: Silhouette, bulge: Field
) -> None:
    body = fit_body(400 - bulge, outline)
    assert body.belief > 0.9
    away = np.abs(body.back - (400 + bulge))[outline.mask]
    assert away.max() < 0.5, away.max()


def test_ball_that_leans_with_its_plane_is_found_and_believed_less(outline: Silhouette, bulge: Field) -> None:
    plane = leaning(outline, 0.4)
    body = fit_body(plane - bulge, outline)
    assert np.abs(body.back - (plane + bulge))[outline.mask].max() < 0.5
    assert 0.5 < body.belief < fit_body(400 - bulge, outline).belief


def test_noise_of_the_front_does_not_reach_the_back(outline: Silhouette, bulge: Field) -> None:
    noise = np.random.default_rng(2).normal(0, 2, bulge.shape).astype(np.float32)
    back = fit_body(400 - bulge + noise, outline).back
    assert np.abs(back - (400 + bulge))[outline.mask].max() < 2.0


@pytest.mark.parametrize("shape", ["plate", "bowl", "steep"])
def test_what_is_no_round_body_is_not_believed(outline: Silhouette, bulge: Field, shape: str) -> None:
    front = {
        "plate": leaning(outline, 0.8),
        "bowl": 400 + bulge,
        "steep": leaning(outline, 2.0) - bulge,
    }[shape]
    belief = fit_body(front.astype(np.float32), outline).belief
    assert belief < 0.1, belief
