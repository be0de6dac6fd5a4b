"""What a config may write of a model beside its networks: keys of every algorithm, and what stands beside a type."""

from __future__ import annotations

from typing import Any

FEATURE_MATCHING = "feature_matching"
"""A role of every algorithm with discriminators: their activations for the fakes, and for the real images."""

LOGITS = "logits"
"""A role of every algorithm with discriminators, in their own step: their logits for the real images, and the fakes."""

MODEL_KEYS: dict[str, Any] = {
    "type": str,
    "variant": dict[str, Any],
    "adversarial": dict[str, float],
    "losses": dict[str, Any],
    "degradation": dict[str, Any] | None,
    "mixtures": list[dict[str, Any]] | None,
    "ema": float | None,
    "ema_switch": int | None,
    "phases": list[Any] | None,
    "channels_last": bool,
    "checkpointing": dict[str, list[str]] | None,
    "compile": dict[str, dict[str, Any]] | None,
    "spectral_norm": dict[str, list[str]] | None,
    "one_graph": bool,
    "discriminator_first": bool,
}
"""Keys of `model` that belong to every algorithm, and their types; the others are its networks and own arguments."""
BESIDE: dict[str, dict[str, Any]] = {
    "losses": {"type": str, "weight": float},
    "discriminators": {"type": str, "pool": int},
    "metrics": {"type": str, "label": str | None},
    "gan_variants": {"type": str, "regularizers": list[dict[str, Any]], "augmentations": list[dict[str, Any]]},
    "regularizers": {"type": str, "weight": float, "every": int},
    "degradations": {"type": str, "crop": int | None},
}
"""Keys that may stand beside a component's arguments and belong to whoever uses it, with their types; elsewhere
`type` alone does.

`label` stands behind a metric's name, where an evaluation has two of a kind. `crop` is the side in pixels to which a
training sample is cut after it was degraded; it stands in `model.degradation` alone, not in a stage of it.
"""

PHASE_KEYS: dict[str, Any] = {
    "losses": list[str] | None,
    "adversaries": list[str] | None,
    "rates": dict[str, float],
    "frozen": list[str],
}
"""What a phase may set beside `name` and `until`, and the types."""

COMPILE_OPTIONS: dict[str, Any] = {
    "mode": str | None,
    "backend": str,
    "dynamic": bool | None,
    "fullgraph": bool,
}
"""What `model.compile` may say of a network: arguments of `torch.compile`, and their types."""
