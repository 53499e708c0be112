"""The harmless types that files of others are made of, rebuilt by hand from what their pickles say.

Numbers and text, lists, tuples, dictionaries, sets of text and numbers; NumPy arrays and scalars of numbers, text or
the former; SciPy's compressed sparse matrices; chumpy's arrays, and those that chumpy selects from others, as plain
arrays; torch tensors as NumPy arrays (``Storages`` says where their numbers lie). A random generator's state becomes an
`Opaque`. Every other name is refused.

Whatever is copied is charged to an allowance that grows with the file, so a small file cannot fill the memory.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mocap3d.base.errors import FileFormatError
from mocap3d.base.pickle_machine import Maker

__all__ = [
    "STORAGE_DTYPES",
    "Opaque",
    "PlainTypes",
    "Storages",
    "plain_dtype",
]

_MAX_OBJECT_ARRAYS = 1000  # NumPy frees arrays inside arrays inside arrays by recursion
_DTYPE_CODE = re.compile(r"b1|[iu][1248]|f[248]|c(8|16)|[SU][0-9]{1,7}|O[48]?")
_KINDS = "biufcSU"
_RANDOM = "numpy.random"  # generators and their state

# torch's storages by name; bfloat16 is widened to float32 when it is read.
STORAGE_DTYPES = {
    "Double": "<f8",
    "Float": "<f4",
    "Half": "<f2",
    "BFloat16": "<u2",
    "Long": "<i8",
    "Int": "<i4",
    "Short": "<i2",
    "Char": "i1",
    "Byte": "u1",
    "Bool": "?",
    "ComplexFloat": "<c8",
    "ComplexDouble": "<c16",
}


class Opaque:
    """Something harmless whose content nobody here needs, such as the state of a random generator."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Opaque({self.name!r})"


class Storages:
    """Where the numbers of torch tensors come from; files without tensors have none."""

    def get(self, kind: str, key: str, count: int) -> NDArray[Any]:
        """The flat array of ``count`` numbers in storage ``key`` of torch's type ``kind`` ("Float", "Long", ...)."""
        raise FileFormatError("the pickle refers to data outside itself")


class _DType:
    """A NumPy dtype that is being built."""

    __slots__ = ("code", "order")

    def __init__(self, code: object) -> None:
        text = _text(code)
        if not _DTYPE_CODE.fullmatch(text):
            raise FileFormatError(f"arrays of NumPy type {text!r} are not admitted")
        self.code = text
        self.order = "|"

    def dtype(self) -> np.dtype[Any]:
        return np.dtype("O" if self.code[0] == "O" else self.order + self.code)


class PlainTypes:
    """The list of what is admitted; a `pickle_machine.Types`.

    Args:
        file_bytes: size of the file, from which the allowance follows.
        storages: the numbers of torch tensors.
    """

    def __init__(self, file_bytes: int, storages: Storages | None = None) -> None:
        self._allowance = (64 << 20) + 16 * file_bytes
        self._object_arrays = 0
        self._unbuilt: dict[int, NDArray[Any]] = {}  # by id; a second state would free memory that others look at
        self._storages = storages or Storages()
        self._makers: dict[str, Callable[..., object]] = {
            "numpy.dtype": lambda code, *_: _DType(code),
            "numpy.ndarray": _token,
            "numpy._core.multiarray._reconstruct": self._reconstruct,
            "numpy._core.multiarray.scalar": self._scalar,
            "numpy._core.numeric._frombuffer": self._frombuffer,
            "_codecs.encode": self._encode,
            "collections.OrderedDict": self._ordered_dict,
            "copyreg._reconstructor": lambda maker, *_: self.call(_maker(maker), ()),
            "builtins.object": _token,
            "builtins.bytes": lambda: b"",
            "builtins.set": self._set,
            "chumpy.ch.Ch": self._fresh_array,
            "chumpy.reordering.Select": self._fresh_array,
            "scipy.sparse.csc_matrix": lambda: _empty_sparse("csc"),
            "scipy.sparse.csr_matrix": lambda: _empty_sparse("csr"),
            "torch._utils._rebuild_tensor": self._tensor,
            "torch._utils._rebuild_tensor_v2": self._tensor,
            "torch._utils._rebuild_parameter": lambda tensor, *_: self._array(tensor),
            "torch.Size": lambda sizes: tuple(_sizes(sizes)),
            **{f"torch.{kind}Storage": _token for kind in STORAGE_DTYPES},
        }

    def find(self, module: str, name: str) -> Maker:
        """The maker by the name that it has today, whatever it was called when the file was written."""
        full = f"{module}.{name}"
        if re.fullmatch(r"numpy\.random(\.\w+)?\.(__?\w+_ctor|RandomState|MT19937|PCG64)", full):
            return Maker(_RANDOM)
        full = re.sub(r"^numpy\.core\.", "numpy._core.", full)
        full = re.sub(r"^scipy\.sparse\._?cs[cr]\.", "scipy.sparse.", full)
        full = full.replace("__builtin__.", "builtins.").replace("copy_reg.", "copyreg.")  # Python 2
        if full not in self._makers:
            raise FileFormatError(f"the pickle asks for {full[:100]!r}, which is not on the list of harmless types")
        return Maker(full)

    def call(self, maker: Maker, arguments: tuple[object, ...]) -> object:
        """Make one object."""
        if maker.name == _RANDOM:
            return Opaque(maker.name)
        try:
            return self._makers[maker.name](*arguments)
        except TypeError:
            raise FileFormatError(f"the pickle calls {maker.name} with arguments that it does not take") from None

    def build(self, made: object, state: object) -> None:
        """Give an object its state."""
        if isinstance(made, _DType):
            _build_dtype(made, state)
        elif isinstance(made, np.ndarray):
            self._build_array(made, state)
        elif hasattr(made, "indptr"):
            self._build_sparse(made, state)
        elif not isinstance(made, Opaque | dict):  # a dictionary's own attributes, such as torch's _metadata
            raise FileFormatError(f"the pickle gives a state to what has none ({type(made).__name__})")

    def persistent(self, key: object) -> object:
        """A torch storage: ("storage", type, key, device, count[, view])."""
        if not isinstance(key, tuple) or len(key) not in (5, 6) or key[0] != "storage":
            raise FileFormatError("the pickle refers to data outside itself")
        _, maker, name, _, count, *view = key
        if view and view[0] is not None:
            raise FileFormatError("a storage that is a view of another is not admitted")
        kind = _maker(maker).name.removeprefix("torch.").removesuffix("Storage")
        if kind not in STORAGE_DTYPES:
            raise FileFormatError(f"{kind} is no type of storage")
        return self._storages.get(kind, _text(name), _size(count))

    def _spend(self, count: int) -> None:
        self._allowance -= count
        if self._allowance < 0:
            raise FileFormatError("the pickle unfolds to far more than the file holds")

    def _bytes(self, raw: object) -> bytes:
        """Bytes, also those that Python 2 took for text."""
        if isinstance(raw, str):
            self._spend(len(raw))
            return raw.encode("latin-1")
        if isinstance(raw, bytes):
            return raw
        raise FileFormatError(f"the pickle has {type(raw).__name__} where bytes must be")

    def _encode(self, text: object, encoding: object) -> bytes:
        if encoding not in ("latin1", "latin-1"):
            raise FileFormatError("the pickle encodes text in another way than Latin-1")
        return self._bytes(text)

    def _ordered_dict(self, pairs: object = ()) -> dict[object, object]:
        if not isinstance(pairs, list | tuple) or not all(isinstance(p, list | tuple) and len(p) == 2 for p in pairs):
            raise FileFormatError("the pickle has a dictionary that is not made of pairs")
        self._spend(200 * len(pairs))
        if not all(isinstance(key, str | int) for key, _ in pairs):
            raise FileFormatError("the pickle has a dictionary key that is neither text nor a number")
        return dict(pairs)

    def _set(self, members: object = ()) -> set[object]:
        """What chumpy keeps beside each array: the names that have changed."""
        if not isinstance(members, list | tuple) or not all(isinstance(member, str | int) for member in members):
            raise FileFormatError("the pickle has a set of what is neither text nor a number")
        self._spend(200 * len(members))
        return set(members)

    def _reconstruct(self, maker: object, *_: object) -> NDArray[Any]:
        if _maker(maker).name != "numpy.ndarray":
            raise FileFormatError("the pickle has a subclass of NumPy's array")
        return self._fresh_array()

    def _fresh_array(self) -> NDArray[Any]:
        fresh = np.empty(0, np.int8)
        self._unbuilt[id(fresh)] = fresh
        return fresh

    def _scalar(self, dtype: object, raw: object) -> object:
        return self._from_bytes(_dtype(dtype), (), self._bytes(raw), "C")[()]

    def _frombuffer(self, raw: object, dtype: object, shape: object, order: object) -> NDArray[Any]:
        return self._from_bytes(_dtype(dtype), _sizes(shape), self._bytes(raw), _text(order))

    def _from_bytes(self, dtype: np.dtype[Any], shape: tuple[int, ...], raw: bytes, order: str) -> NDArray[Any]:
        if plain_dtype(dtype).itemsize * math.prod(shape) != len(raw) or order not in ("C", "F"):
            raise FileFormatError(f"an array of shape {shape} does not have the bytes that it needs")
        flat = np.frombuffer(raw, dtype)
        return flat.reshape(shape, order="F" if order == "F" else "C")

    def _array(self, value: object) -> NDArray[Any]:
        if not isinstance(value, np.ndarray) or id(value) in self._unbuilt:
            raise FileFormatError(f"the pickle has {type(value).__name__} where an array with content must be")
        return value

    def _build_array(self, made: NDArray[Any], state: object) -> None:
        if id(made) not in self._unbuilt:
            raise FileFormatError("the pickle gives an array a second state")
        if isinstance(state, dict):
            source = self._chumpy(state)
            state = (source.shape, _DType(source.dtype.str[1:]), False, source.tobytes())
        if not isinstance(state, tuple) or len(state) not in (4, 5):
            raise FileFormatError("the pickle has an array without shape, type and content")
        shape, dtype, fortran, content = _sizes(state[-4]), _dtype(state[-3]), state[-2], state[-1]
        if dtype.hasobject:
            self._object_arrays += 1
            if self._object_arrays > _MAX_OBJECT_ARRAYS:
                raise FileFormatError(f"the pickle has more than {_MAX_OBJECT_ARRAYS} arrays of objects")
            if not isinstance(content, list) or len(content) != math.prod(shape):
                raise FileFormatError(f"an array of {shape} objects does not have as many")
            self._spend(8 * len(content))
        else:
            content = self._bytes(content)
            self._from_bytes(dtype, shape, content, "C")
            self._spend(len(content))
        del self._unbuilt[id(made)]
        made.__setstate__((1, shape, dtype, bool(fortran), content))  # type: ignore[arg-type]

    def _chumpy(self, state: dict[object, object]) -> NDArray[Any]:
        """The content of a chumpy array: its own, or what it selects from another by flat indices."""
        if "a" not in state:
            source = self._array(state.get("x"))
            plain_dtype(source.dtype)
            self._spend(source.nbytes)
            return source
        source, chosen = self._array(state["a"]), self._array(state.get("idxs"))
        shape = _sizes(state.get("preferred_shape", chosen.shape))
        inside = chosen.dtype.kind in "iu" and (not chosen.size or 0 <= chosen.min() <= chosen.max() < source.size)
        if not inside or math.prod(shape) != chosen.size:
            raise FileFormatError("the pickle selects from an array what is not there")
        plain_dtype(source.dtype)
        self._spend(2 * chosen.size * source.itemsize)
        return np.asarray(source.ravel()[chosen]).reshape(shape)

    def _build_sparse(self, made: Any, state: object) -> None:
        if not isinstance(state, dict):
            raise FileFormatError("the pickle has a sparse matrix without content")
        rows_columns = _sizes(state.get("_shape"))
        data, indices, indptr = (self._array(state.get(name)) for name in ("data", "indices", "indptr"))
        kinds = (data.dtype.kind in "biuf", indices.dtype.kind in "iu", indptr.dtype.kind in "iu")
        if len(rows_columns) != 2 or math.prod(rows_columns) > 1 << 31 or not all(kinds):
            raise FileFormatError("the pickle has a sparse matrix that does not fit together")
        self._spend(2 * (data.nbytes + indices.nbytes + indptr.nbytes))
        built = type(made)((data, indices, indptr), shape=rows_columns)
        built.check_format(full_check=True)
        made.__dict__.update(built.__dict__)

    def _tensor(self, storage: object, offset: object, size: object, stride: object, *_: object) -> NDArray[Any]:
        """A view into the storage, read-only."""
        flat, start, shape, steps = self._array(storage), _size(offset), _sizes(size), _sizes(stride)
        count = math.prod(shape)
        last = start + sum((n - 1) * step for n, step in zip(shape, steps, strict=True))
        if flat.ndim != 1 or count > len(flat) or (count and last >= len(flat)):
            raise FileFormatError(f"a tensor of shape {shape} reaches beyond its storage")
        if not count:
            return np.empty(shape, flat.dtype)
        inner = tuple(step * flat.itemsize for step in steps)
        return np.lib.stride_tricks.as_strided(flat[start:], shape, inner, writeable=False)


def plain_dtype(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The same type, when it is one of numbers or text (of at least one character)."""
    if dtype.kind not in _KINDS or not dtype.itemsize or dtype.names is not None or dtype.subdtype is not None:
        raise FileFormatError(f"arrays of NumPy type {dtype.str!r} are not admitted")
    return dtype


def _token(*_: object) -> object:
    raise FileFormatError("the pickle calls a type that may only be named")


def _build_dtype(made: _DType, state: object) -> None:
    if not isinstance(state, tuple) or len(state) < 5 or state[1] not in ("<", ">", "|", "="):
        raise FileFormatError("the pickle has a NumPy type that is not described")
    if any(part is not None for part in state[2:5]):
        raise FileFormatError("arrays of records are not admitted")
    made.order = state[1]


def _empty_sparse(kind: str) -> object:
    import scipy.sparse

    return scipy.sparse.csc_matrix((1, 1)) if kind == "csc" else scipy.sparse.csr_matrix((1, 1))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise FileFormatError(f"the pickle has {type(value).__name__} where text must be")
    return value


def _maker(value: object) -> Maker:
    if not isinstance(value, Maker):
        raise FileFormatError(f"the pickle has {type(value).__name__} where a type must be")
    return value


def _dtype(value: object) -> np.dtype[Any]:
    if not isinstance(value, _DType):
        raise FileFormatError(f"the pickle has {type(value).__name__} where a NumPy type must be")
    return value.dtype()


def _size(value: object) -> int:
    if not isinstance(value, int) or not 0 <= value < 1 << 48:
        raise FileFormatError("the pickle has a size that is not a number of elements")
    return value


def _sizes(value: object) -> tuple[int, ...]:
    if not isinstance(value, list | tuple) or len(value) > 32:
        raise FileFormatError("the pickle has an array without shape")
    return tuple(_size(n) for n in value)
