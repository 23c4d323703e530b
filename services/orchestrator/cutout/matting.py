"""Decide alpha in the unknown band: closed-form matting, from coarse to fine.

The equations (see laplacian.py) carry knowledge slowly across a wide band: plain conjugate gradients need about a
thousand steps. So the picture is halved until the band is small enough to be solved directly, and each finer level
starts from the coarser answer and needs only as many steps as it takes to settle its own detail ("cascadic multigrid").
A small pixel is unknown only if all four of its pixels are, so that the coarse levels keep every known colour.

Source: Levin, Lischinski, Weiss (2008), section 5; Bornemann, Deuflhard: The cascadic multigrid method (1996).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.sparse import linalg

from services.common.arrays import Alpha, BoolMask, Float, Pixels
from services.orchestrator.cutout.laplacian import BandSystem, build_band_system
from services.orchestrator.cutout.pyramid import double, halve, halve_photo
from services.orchestrator.cutout.upsample import upsample_at

DIRECT_PX = 2000  # so few unknown pixels are solved directly in a few milliseconds
SMALLEST_SIDE_PX = 16
# Of the detail that the guess has at a level which is not solved, this much stays. Measured on network masks: 0, 0.7
# and 1 leave 95, 94 and 95 % of the mask's error on photos with soft alpha; 0 frays crisp edges.
KEPT_DETAIL = np.float32(0.7)
SOLVED = 1e-7  # of the first residual's energy: what is left then moves alpha by less than 8 bit can hold
FAINT_DATA_TERM = 1e-6  # keeps an unknown region without any known pixel solvable; it then stays at the guess


@dataclass(frozen=True)
class MattingOptions:
    """How exactly the equations are solved.

    Attributes:
        steps: conjugate-gradient steps at each level, finest first; the last number holds for all coarser levels.
            More is nearer to the exact solution. A zero solves from the next level on and enlarges its answer along
            the photo's edges.
        max_unknown_px: a level with more unknown pixels is treated as if its steps were zero, which bounds time and
            memory (about 450 bytes an unknown pixel).
    """

    steps: tuple[int, ...] = (0, 120, 160)
    max_unknown_px: int = 300_000


@dataclass(frozen=True)
class DataTerm:
    """Unknown pixels are held to their guess by base + sure · (2 guess − 1)², in units of one colour window."""

    base: float
    sure: float


# Against pymatting's closed form on ten photos with given trimaps: SAD, CPU time. To solve the finest level as well,
# as in the paper, costs three times as much and gains nothing: the colours of neighbours are a better guide than noise.
QUICK = MattingOptions(steps=(0, 0, 80))  # 0.96 of the SAD in 1/24 of the time; coarse for masks that are fine already
BALANCED = MattingOptions(steps=(0, 120, 160))  # 0.94 in 1/14
THOROUGH = MattingOptions(steps=(0, 300, 300))  # 0.94 in 1/14; better in wide bands full of hairs


def matte(photo: Pixels, guess: Alpha, unknown: BoolMask, data_term: DataTerm | None, options: MattingOptions) -> Alpha:
    """Return `guess` with alpha decided anew where `unknown`.

    Args:
        photo: (H, W, 3) uint8 or uint16.
        guess: (H, W) in [0, 1]: what is known, and a first guess where unknown.
        unknown: (H, W) bool.
        data_term: how strongly unknown pixels are held to their guess; None: not at all.
        options: how exactly.
    Returns:
        (H, W) in [0, 1], equal to `guess` where known, and everywhere if nothing is known.

    >>> photo = np.zeros((40, 40, 3), np.uint8)
    >>> photo[:, :19], photo[:, 19], photo[:, 20:] = (0, 0, 200), (100, 0, 100), (200, 0, 0)  # blue, mixed, red
    >>> guess = np.zeros((40, 40), np.float32)
    >>> guess[:, 17:22], guess[:, 22:] = 0.5, 1
    >>> matte(photo, guess, guess == 0.5, None, BALANCED)[20, 16:23].round(2).tolist()
    [0.0, 0.0, 0.0, 0.5, 1.0, 1.0, 1.0]
    """
    if not unknown.any() or unknown.all() or min(unknown.shape) < 3:
        return guess.copy()
    return _solve_level(photo, guess, unknown, data_term, options, 0)


def _solve_level(
    photo: Pixels, guess: Alpha, unknown: BoolMask, data_term: DataTerm | None, options: MattingOptions, level: int
) -> Alpha:
    count = int(np.count_nonzero(unknown))
    steps = options.steps[min(level, len(options.steps) - 1)]
    result = guess.copy()
    if count == 0:
        return result
    if (count <= DIRECT_PX and steps > 0) or min(unknown.shape) < 2 * SMALLEST_SIDE_PX:
        system = _hold(build_band_system(photo, guess, unknown), guess, data_term)
        solution = linalg.splu(system.matrix.tocsc().astype(np.float64)).solve(system.right_side.astype(np.float64))
        result[unknown] = np.clip(solution, 0.0, 1.0)
        return result

    half_photo, half_guess, half_unknown = _halve(photo, guess, unknown)
    coarse = _solve_level(half_photo, half_guess, half_unknown, data_term, options, level + 1)
    if steps == 0 or count > options.max_unknown_px:
        flat = np.flatnonzero(unknown).astype(np.int32)
        kept = np.float32(0) if data_term is None else KEPT_DETAIL
        enlarged = upsample_at(flat, coarse - kept * half_guess, photo, half_photo, (0.5, 0.5))
        result[unknown] = np.clip(enlarged + kept * guess[unknown], 0.0, 1.0)
        return result
    start = double(coarse, unknown.shape)[unknown]
    system = _hold(build_band_system(photo, guess, unknown), guess, data_term)
    result[unknown] = np.clip(_conjugate_gradients(system, start, steps), 0.0, 1.0)
    return result


def _halve(photo: Pixels, guess: Alpha, unknown: BoolMask) -> tuple[Pixels, Alpha, BoolMask]:
    """Return everything at half the size; what is known in part of a pixel counts for the whole."""
    known = np.asarray(~unknown, np.float32)
    share = halve(known)
    none_known = np.asarray(share <= 0)
    known *= guess
    half_guess = np.where(none_known, halve(guess), halve(known) / np.maximum(share, np.float32(1e-6)))
    return halve_photo(photo), half_guess, none_known


def _hold(system: BandSystem, guess: Alpha, data_term: DataTerm | None) -> BandSystem:
    """Add the data term, weight · (alpha − guess)², to the quadratic form."""
    values = guess.reshape(-1)[system.flat]
    held = np.full(system.flat.size, FAINT_DATA_TERM, np.float32)
    if data_term is not None:
        held += np.float32(data_term.base) + np.float32(data_term.sure) * np.square(
            np.float32(2) * values - np.float32(1)
        )
    matrix = (system.matrix + sparse.diags_array(held)).tocsr().astype(np.float32)
    return BandSystem(matrix, system.right_side + held * values, system.flat)


def _conjugate_gradients(system: BandSystem, start: Float, steps: int) -> Float:
    """Run `steps` of conjugate gradients with the diagonal as preconditioner."""
    matrix, inverse = system.matrix, 1.0 / system.matrix.diagonal()
    x = np.asarray(start, np.float32).copy()
    residual = system.right_side - matrix @ x
    z = inverse * residual
    direction = z.copy()
    energy = float(residual @ z)
    enough = SOLVED * energy
    for _ in range(steps):
        image = matrix @ direction
        curvature = float(direction @ image)
        if energy <= enough or curvature <= 0.0:
            break
        length = np.float32(energy / curvature)
        x += length * direction
        residual -= length * image
        z = inverse * residual
        renewed = float(residual @ z)
        direction *= np.float32(renewed / energy)
        direction += z
        energy = renewed
    return x
