"""Names that pickles ask for, sorted by what they could do. Only data; `imports` judges by it.

Where the line is: what a harmful file needs, and an ordinary one has no use for, is dangerous. What
both use (``getattr`` of a bound method) is doubtful. The sorts follow the advisories against
picklescan and fickling, and what transformers, lightning, scikit-learn and torch save.
"""

from __future__ import annotations

from typing import Final

#: Modules of torch and NumPy, with the beginnings of the names in them that tensors and plain
#: values are made of. An empty beginning stands for every name.
ORDINARY: Final[dict[str, tuple[str, ...]]] = {
    "torch": ("",),
    "torch.cuda": ("",),
    "torch._utils": ("_rebuild_",),
    "torch._tensor": ("_rebuild_from_type", "Tensor"),
    "torch.storage": ("_load_from_bytes", "TypedStorage", "UntypedStorage", "_"),
    "torch.nn.parameter": ("",),
    "torch.jit._pickle": ("build_", "restore_type_tag"),
    "torch.serialization": ("_get_layout",),
    "torch.nested._internal.nested_tensor": ("NestedTensor", "_rebuild_njt"),
    "collections": ("",),
    "_collections": ("deque", "OrderedDict", "defaultdict"),
    "numpy": ("",),
    "numpy.core.multiarray": ("_reconstruct", "scalar"),
    "numpy._core.multiarray": ("_reconstruct", "scalar"),
    "numpy.core.numeric": ("_frombuffer",),
    "numpy._core.numeric": ("_frombuffer",),
    "numpy.dtypes": ("",),
    "numpy.ma.core": ("_mareconstruct", "MaskedArray"),
    "numpy.random": ("",),
    "ml_dtypes": ("",),
    "_codecs": ("encode",),
    "argparse": ("Namespace",),
    "copy_reg": ("_reconstructor", "__newobj__"),
    "copyreg": ("_reconstructor", "__newobj__"),
    "joblib.numpy_pickle": ("NumpyArrayWrapper", "NDArrayWrapper"),
}

#: Packages whose private names are modules: to ask for one as a value is a way to change it, or to
#: reach what it imports.
WITH_PRIVATE_MODULES: Final = frozenset({"torch", "numpy"})

#: Functions and classes that do harm by themselves, or are one step away from it, in modules
#: that are otherwise ordinary.
DANGEROUS: Final = frozenset(
    {
        *("_codecs.lookup", "_codecs.register", "codecs.open"),
        *("_thread.start_new", "_thread.start_new_thread", "threading.Thread", "threading.Timer"),
        *("argparse.FileType", "dataclasses.make_dataclass", "copy._reconstruct"),
        *("io.FileIO", "io.open", "io.open_code", "io.OpenWrapper"),
        *("_io.FileIO", "_io.open", "_io.open_code"),
        *("logging.FileHandler", "logging.basicConfig", "logging.handlers", "logging.config"),
        *("operator.attrgetter", "operator.methodcaller", "operator.call"),
        *("_operator.attrgetter", "_operator.methodcaller", "_operator.call"),
        *("types.CodeType", "types.FunctionType", "types.LambdaType", "types.new_class"),
        *("types.MethodType", "types.coroutine", "typing.get_type_hints", "inspect.getattr_static"),
        *("string.Formatter", "gzip.open", "bz2.open", "lzma.open"),
        *("numpy.load", "numpy.save", "numpy.savez", "numpy.savez_compressed", "numpy.savetxt"),
        *("numpy.loadtxt", "numpy.genfromtxt", "numpy.fromfile", "numpy.fromregex"),
        *("numpy.DataSource", "numpy.source", "numpy.core.multiarray.fromfile"),
        *("numpy._core.multiarray.fromfile", "numpy.lib.npyio", "numpy.lib._npyio_impl"),
        *("torch.load", "torch.save", "torch.compile", "torch.hub", "torch.ops", "torch.classes"),
        *("torch.from_file", "torch.import_ir_module", "torch.import_ir_module_from_buffer"),
        *("torch._utils._import_dotted_name", "torch.jit.load", "torch.jit._serialization"),
        *("torch.export.load", "torch.utils.model_zoo", "torch.package", "torch.storage._share"),
        *("pandas.io.pickle", "pandas.read_pickle", "pandas.eval", "pandas.io.common"),
        *("sklearn.externals.joblib", "keras.models.load_model", "numexpr.evaluate"),
    }
)

#: Can reach harmful things, and is also how Python or a library pickles ordinary ones.
DOUBTFUL: Final = frozenset(
    {
        *("operator.itemgetter", "_operator.itemgetter", "codecs.decode", "_codecs.decode"),
        *("zlib.decompress", "base64.b64decode", "binascii.a2b_base64", "bz2.decompress"),
        *("lzma.decompress", "gzip.decompress", "functools.singledispatch"),
        *("numpy.core._ufunc_reconstruct", "numpy._core._ufunc_reconstruct"),
        *("numpy.memmap", "numpy.vectorize", "numpy.frompyfunc", "numpy.apply_along_axis"),
        *("numpy.fromfunction", "numpy.piecewise", "numpy.apply_over_axes"),
    }
)

BUILTINS: Final = frozenset({"builtins", "__builtin__"})

BUILTIN_TYPES: Final = frozenset(
    {
        *("bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list"),
        *("long", "object", "range", "set", "slice", "str", "tuple", "type", "unicode", "xrange"),
    }
)

BUILTIN_DOUBTFUL: Final = frozenset(
    {"getattr", "super", "property", "hasattr", "iter", "map", "reversed", "filter", "next"}
)

#: Functions that compute and no more; people keep them in configurations.
BUILTIN_HARMLESS: Final = frozenset(
    {
        *(
            "Ellipsis",
            "NotImplemented",
            "abs",
            "all",
            "any",
            "ascii",
            "basestring",
            "bin",
            "buffer",
        ),
        *("callable", "chr", "classmethod", "divmod", "enumerate", "format", "hash", "hex", "id"),
        *("isinstance", "issubclass", "len", "max", "memoryview", "min", "oct", "ord", "pow"),
        *("print", "repr", "round", "sorted", "staticmethod", "sum", "unichr", "zip"),
        *("GeneratorExit", "KeyboardInterrupt", "StopAsyncIteration", "StopIteration"),
        *("SystemExit", "BaseExceptionGroup", "ExceptionGroup"),
    }
)

#: Modules of the standard library whose objects and functions people keep in checkpoints.
PLAIN_STDLIB: Final = frozenset(
    {
        *("_collections_abc", "_decimal", "_io", "_operator", "_random", "_struct", "abc"),
        *(
            "argparse",
            "array",
            "base64",
            "binascii",
            "bisect",
            "bz2",
            "calendar",
            "cmath",
            "codecs",
        ),
        *("_codecs", "collections", "contextlib", "copy", "copyreg", "dataclasses", "datetime"),
        *("decimal", "enum", "fractions", "functools", "_functools", "graphlib", "gzip"),
        "hashlib",
        *("heapq", "inspect", "io", "ipaddress", "itertools", "json", "logging", "lzma", "math"),
        *("numbers", "operator", "pathlib", "queue", "random", "re", "statistics", "string"),
        *("struct", "textwrap", "_thread", "threading", "time", "traceback", "types", "typing"),
        *("unicodedata", "uuid", "warnings", "weakref", "zlib", "zoneinfo", "__future__"),
        *("ast", "configparser", "difflib", "email", "fnmatch", "html", "http.cookies", "keyword"),
        *("locale", "token", "urllib.parse"),
    }
)

#: Private functions of these modules that Python itself pickles by.
PLAIN_PRIVATE: Final = frozenset(
    {
        *("re._compile", "array._array_reconstructor", "zoneinfo.ZoneInfo._unpickle"),
        *(
            "functools._lru_cache_wrapper",
            "collections._tuplegetter",
            "enum._make_class_unpicklable",
        ),
        *("enum._proto_member",),
    }
)

#: Plain values that modules define which are not plain.
PLAIN_CLASSES: Final = frozenset(
    {
        *("os.stat_result", "posix.stat_result", "os.terminal_size", "os.PathLike"),
        *("signal.Signals", "signal.Handlers", "socket.AddressFamily", "socket.SocketKind"),
    }
)

#: Modules that are reached as an attribute of another one: `torch` and `os` is a way to say `os`.
REACHED_MODULES: Final = frozenset(
    {
        *("asyncio", "builtins", "ctypes", "importlib", "linecache", "marshal", "multiprocessing"),
        *("nt", "os", "pickle", "pkgutil", "posix", "runpy", "shutil", "socket", "subprocess"),
        *("sys", "tempfile", "threading", "pathlib", "webbrowser", "pty", "urllib", "pip"),
    }
)

#: Modules of the standard library of other Pythons than the one that runs: of 2, and those that
#: came or went later.
OTHER_STDLIB: Final = frozenset(
    {
        *("BaseHTTPServer", "CGIHTTPServer", "SimpleHTTPServer", "SocketServer", "Tkinter"),
        *("anydbm", "cPickle", "commands", "dumbdbm", "dummy_thread", "httplib", "ihooks"),
        *("new", "os2", "popen2", "rexec", "tkFileDialog", "urllib2", "urlparse", "whichdb"),
        *("xmlrpclib", "thread", "ce", "riscos", "_aix_support", "_osx_support", "_pyrepl"),
        *("asynchat", "asyncore", "cgi", "cgitb", "crypt", "distutils", "ensurepip", "imp"),
        *("lib2to3", "msilib", "nis", "nntplib", "ossaudiodev", "pipes", "smtpd", "spwd"),
        *(
            "telnetlib",
            "_testcapi",
            "_testinternalcapi",
            "_xxsubinterpreters",
            "_interpreters",
        ),
        *("nt", "posix", "winreg", "_winreg", "msvcrt", "_winapi", "_posixsubprocess", "idlelib"),
        *("turtledemo", "this", "antigravity"),
    }
)

#: Packages and modules beside the standard library that run, load or fetch things: every name.
HARMFUL: Final = frozenset(
    {
        *("pip", "setuptools", "pkg_resources", "IPython", "ipykernel", "dill", "cloudpickle"),
        *("requests", "urllib3", "aiohttp", "httpx", "paramiko", "fabric", "invoke", "pexpect"),
        *("ptyprocess", "plumbum", "sh", "fsspec", "psutil", "win32api", "win32com", "pwn"),
        *("cffi", "jsonpickle", "execnet", "pyrepl", "sitecustomize", "boto3", "_pytest", "pytest"),
        *("test.support", "numpy.testing", "numpy.f2py", "numpy.distutils", "numpy.ctypeslib"),
        *("torch.hub", "torch.utils.cpp_extension", "torch._inductor", "torch.utils.collect_env"),
        *("torch.jit.unsupported_tensor_ops", "torch.utils.bottleneck"),
        *("torch.utils._config_module", "torch.utils.data.datapipes"),
    }
)

#: Packages whose functions run or load things, while their classes are ordinary objects.
HARMFUL_FUNCTIONS: Final = frozenset(
    {
        *("joblib", "torch._dynamo", "torch.distributed", "torch.fx", "torch.serialization"),
        *("torch.export", "torch.package", "torch.multiprocessing", "torch.utils.show_pickle"),
        *("torch.utils.serialization", "torch._export", "torch.jit._serialization"),
    }
)

#: What a function of any package is called that loads or runs what it is given.
TELLING_NAMES: Final = frozenset(
    {
        *("__import__", "check_output", "eval", "exec", "execfile", "from_file", "import_module"),
        *("load", "load_model", "load_url", "loads", "popen", "read_pickle", "runcode", "spawn"),
        *("system", "unpickle", "unsafe_load", "get_entity", "run_cmd", "run_command"),
    }
)
