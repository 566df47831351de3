"""Kinds of random vectors, ordinary and unpleasant, for tables and for queries."""

import os

import numpy as np

# The type under test: ours, or pgvector's through the bridge. Tests are written for veravec; what they send is rewritten
# where another is tested.
TYPE = os.environ.get("VECTOR_TYPE", "veravec")
ELEMENT = {"veravec": np.float32, "verahalfvec": np.float16, "vector": np.float32, "halfvec": np.float16}[TYPE]
IS_PGVECTORS = TYPE in ("vector", "halfvec")
LARGEST = np.float32(np.finfo(ELEMENT).max)


def _gaussian(rng, count, dimensions):
    return rng.standard_normal((count, dimensions))


def _clustered(rng, count, dimensions):
    centres = rng.standard_normal((8, dimensions)) * 3
    return centres[rng.integers(0, 8, count)] + rng.standard_normal((count, dimensions)) * 0.05


def _normalised(rng, count, dimensions):
    vectors = rng.standard_normal((count, dimensions))
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def _integers(rng, count, dimensions):
    return rng.integers(-2, 3, (count, dimensions))


def _duplicates(rng, count, dimensions):
    return rng.standard_normal((10, dimensions))[rng.integers(0, 10, count)]


def _one_hot(rng, count, dimensions):
    vectors = np.zeros((count, dimensions))
    vectors[np.arange(count), rng.integers(0, dimensions, count)] = rng.choice([1.0, -1.0, 2.0], count)
    return vectors


def _sparse(rng, count, dimensions):
    return rng.standard_normal((count, dimensions)) * (rng.random((count, dimensions)) < 0.05)


def _mixed_magnitudes(rng, count, dimensions):
    return rng.standard_normal((count, dimensions)) * 10.0 ** rng.integers(-30, 15, (count, 1))


def _mixed_elements(rng, count, dimensions):
    return rng.standard_normal((count, dimensions)) * 10.0 ** rng.integers(-12, 8, (count, dimensions))


def _outlier_dimensions(rng, count, dimensions):
    scale = np.ones(dimensions)
    scale[rng.integers(0, dimensions, max(1, dimensions // 50))] = 20
    return rng.standard_normal((count, dimensions)) * scale


def _all_equal(rng, count, dimensions):
    return np.repeat(rng.standard_normal((1, dimensions)), count, axis=0)


def _far_from_origin(rng, count, dimensions):
    return rng.standard_normal((count, dimensions)) + 1000


def _nearly_equal(rng, count, dimensions):
    base = rng.standard_normal(dimensions).astype(np.float32)
    steps = rng.integers(-2, 3, (count, dimensions), dtype=np.int32)
    return (base.view(np.int32) + steps).view(np.float32)


def _parallel(rng, count, dimensions):
    return rng.standard_normal(dimensions) * rng.uniform(-2, 2, (count, 1))


def _denormals(rng, count, dimensions):
    return rng.standard_normal((count, dimensions)) * 1e-41


def _overflowing(rng, count, dimensions):
    """Elements whose squares and sums are infinite, so that distances are infinite or NaN, among ordinary ones."""
    vectors = rng.standard_normal((count, dimensions))
    huge = rng.random(count) < 0.5
    vectors[huge] = rng.choice([1.0, -1.0, 0.5, 1e-19], (huge.sum(), dimensions)) * float(LARGEST)
    return vectors


KINDS = {kind.__name__[1:]: kind for kind in (
    _gaussian, _clustered, _normalised, _integers, _duplicates, _one_hot, _sparse, _mixed_magnitudes, _mixed_elements,
    _outlier_dimensions, _all_equal, _far_from_origin, _nearly_equal, _parallel, _denormals, _overflowing)}


def elements(numbers):
    """Numbers as the type under test has them, as float32."""
    return np.clip(np.asarray(numbers, dtype=np.float64), -LARGEST, LARGEST).astype(ELEMENT).astype(np.float32)


def random_vectors(rng, kind, count, dimensions):
    """A float32 array (count, dimensions) of finite numbers."""
    return elements(KINDS[kind](rng, count, dimensions))


def random_column(rng, kind, count, dimensions, nulls, zeros):
    """A list of vectors of which these shares are None and zero vectors."""
    vectors = random_vectors(rng, kind, count, dimensions)
    vectors[rng.random(count) < zeros] = 0
    return [None if absent else vector for vector, absent in zip(vectors, rng.random(count) < nulls, strict=True)]


def random_query(rng, kind, column, dimensions):
    """A query vector: alike the data, in it, nearly in it, or nothing of the sort; None for NULL."""
    stored = [vector for vector in column if vector is not None]
    pick = rng.random()
    if pick < 0.30:
        return random_vectors(rng, kind, 1, dimensions)[0]
    if pick < 0.70 and stored:
        vector = stored[rng.integers(len(stored))].copy()
        if pick < 0.45:
            return vector
        if pick < 0.55:
            place = rng.integers(dimensions)
            vector[place] = np.nextafter(vector[place].astype(ELEMENT), ELEMENT(0))
            return vector
        if pick < 0.60:
            return -vector
        scaled = vector.astype(np.float64) * rng.choice([0.5, 1.0001, 1e-20])
        return elements(scaled)
    if pick < 0.78:
        return np.zeros(dimensions, dtype=np.float32)
    if pick < 0.84:
        return None
    if pick < 0.90:
        return random_vectors(rng, "overflowing", 1, dimensions)[0]
    return random_vectors(rng, rng.choice(sorted(KINDS)), 1, dimensions)[0]
