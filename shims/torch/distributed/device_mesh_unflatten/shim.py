"""``DeviceMesh._unflatten`` before torch 2.10: for a 1-D mesh that was not cut out of another.

Origin: https://github.com/pytorch/pytorch/pull/161224
The result is a new mesh over the same ranks with process groups of its own; torch 2.10 shares what
it can and knows the new mesh as a view of the old one, so slices of both cannot be combined here.
``backend_override`` may name "fake", upstream's way to save groups that nobody uses: such a
dimension gets a real group, which does all that a fake one does.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any


def build(original: None, ctx: Any) -> Callable[..., Any]:
    """Return the method."""
    version, root_of = ctx.version("torch"), _root_of(ctx.module)

    def _unflatten(
        self: Any,
        dim: int | str,
        mesh_sizes: tuple[int, ...],
        mesh_dim_names: tuple[str, ...],
        backend_override: dict[str, Any] | None = None,
    ) -> Any:
        """Return a mesh with dimension ``dim`` split into several.

        Raises ValueError and RuntimeError where torch 2.10 does, and NotImplementedError for a
        mesh of several dimensions, a part of a mesh, or a backend of its own for a dimension.
        """
        _check(self, dim, mesh_sizes, mesh_dim_names)
        if self.ndim != 1 or root_of(self) is not self:
            raise NotImplementedError(_TOLD.format("1-D meshes that are part of no other", version))
        if any(backend != "fake" for backend in (backend_override or {}).values()):
            raise NotImplementedError(_TOLD.format("the backends that a mesh has anyway", version))
        ranks = self.mesh.view(tuple(mesh_sizes))
        return type(self)(self.device_type, ranks, mesh_dim_names=tuple(mesh_dim_names))

    return _unflatten


_TOLD = "DeviceMesh._unflatten() supports only {} before torch 2.10 (this is torch {})"


def _check(mesh: Any, dim: int | str, sizes: tuple[int, ...], names: tuple[str, ...]) -> None:
    if isinstance(dim, int) and dim >= mesh.ndim:
        raise ValueError(f"dim {dim} specified in `_unflatten` is out of range {mesh.ndim}")
    if isinstance(dim, str) and dim not in (mesh.mesh_dim_names or ()):
        raise ValueError(f"dim {dim} specified in `_unflatten` is not in {mesh.mesh_dim_names}")
    if len(sizes) != len(names):
        raise RuntimeError("mesh_dim_names must have same length as mesh_sizes in _unflatten!")
    size = mesh.size(mesh.mesh_dim_names.index(dim) if isinstance(dim, str) else dim)
    if prod(sizes) != size:
        raise ValueError(
            f"The product of mesh_sizes={tuple(sizes)} is {prod(sizes)}, but the original "
            f"dimension at dim={dim} has size {size}. "
            "These must be equal for unflatten to work correctly."
        )


def _root_of(module: Any) -> Callable[[Any], Any]:
    """Return what tells the mesh that a mesh was cut out of; 2.8 keeps them beside the class."""
    if hasattr(module.DeviceMesh, "_get_root_mesh"):
        return module.DeviceMesh._get_root_mesh
    return module._mesh_resources.get_root_mesh
