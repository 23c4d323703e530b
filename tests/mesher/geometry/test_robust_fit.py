import numpy as np

from services.mesher.geometry.robust_fit import fit_robustly


def test_a_third_of_outliers_hardly_sways_a_plane() -> None:
    rng = np.random.default_rng(4)
    design = np.column_stack([rng.uniform(-1, 1, (900, 2)), np.ones(900)])
    seen = design @ [2.0, -1.0, 0.5] + rng.normal(0, 0.01, 900)
    seen[::3] += rng.uniform(1, 3, 300)
    plane, residual = fit_robustly(design, seen, rounds=12, spread=1.5, least=1e-6)
    np.testing.assert_allclose(plane, [2.0, -1.0, 0.5], atol=0.02)
    np.testing.assert_allclose(residual, design @ plane - seen)
