"""Argo CD's Lua as Argo CD runs it: version 5.1, the object as `obj`, and of the libraries only what a script from its
ConfigMap has: base, table, package, and of os the time."""

from typing import Any

from lupa import lua51

Raw = dict[str, Any]

_SANDBOX = """
for _, name in ipairs({"string", "math", "io", "debug", "coroutine", "python"}) do
  _G[name] = nil
  package.loaded[name] = nil
end
getmetatable("").__index = nil
for name in pairs(os) do
  if name ~= "date" and name ~= "time" then os[name] = nil end
end
"""


def run(script: str, obj: Raw) -> Raw:
    """What the script returns for this object."""
    lua = lua51.LuaRuntime(unpack_returned_tuples=True, register_eval=False, register_builtins=False)
    # While strings still have methods: lupa's own conversion does not need them, the script must do without.
    lua.globals().obj = lua.table_from(obj, recursive=True)
    lua.execute(f"local getmetatable = getmetatable {_SANDBOX}")
    result: Raw = _plain(lua.execute(script))
    return result


def _plain(value: Any) -> Any:
    if lua51.lua_type(value) != "table":
        return value
    pairs = dict(value.items())
    if pairs and set(pairs) == set(range(1, len(pairs) + 1)):
        return [_plain(pairs[index]) for index in sorted(pairs)]
    return {key: _plain(each) for key, each in pairs.items()}
