# SPDX-License-Identifier: Apache-2.0
"""The whole database as a daemon left it, in a form in which two of them compare."""
import json

from .command import run

# What is each daemon's own, or a matter of time: only whether there is a value is compared.
OWN = {"statistics", "ifindex", "mac_in_use", "datapath_id", "cur_cfg", "next_cfg", "_uuid", "_version", "link_resets"}
NAMES = {"Bridge": "name", "Port": "name", "Interface": "name", "Controller": "target", "Manager": "target"}


def rows(switch):
    """{table: {name of the row: {column: value}}} of all tables with rows; a UUID is shown as the row that it names."""
    text = run("ovsdb-client", "-f", "json", "dump", "unix:" + switch.path("db.sock"), "Open_vSwitch", env=switch.env)
    tables = [json.loads(line) for line in text.splitlines()]
    tables = {table["caption"].split()[0]: [dict(zip(table["headings"], row)) for row in table["data"]] for table in tables}
    names = {row["_uuid"][1]: f"{name} {row.get(NAMES.get(name), '')}".strip() for name, table in tables.items() for row in table}
    return {name: {names[row["_uuid"][1]]: {column: shown(column, value, names) for column, value in row.items() if column not in ("_uuid", "_version")}
                   for row in table} for name, table in tables.items() if table}


def shown(column, value, names):
    if column in OWN:
        return sorted(key for key, _ in value[1]) if column == "statistics" else value != ["set", []]
    return plain(value, names)


def plain(value, names):
    if isinstance(value, list) and value[0] == "uuid":
        return names.get(value[1], value[1])
    if isinstance(value, list) and value[0] == "set":
        return sorted((plain(atom, names) for atom in value[1]), key=str)
    if isinstance(value, list) and value[0] == "map":
        return {str(plain(key, names)): plain(atom, names) for key, atom in value[1]}
    return value


def differences(first, second):
    """Lines, one for each column that differs."""
    lines = []
    for table in sorted({*first, *second}):
        for row in sorted({*first.get(table, {}), *second.get(table, {})}):
            one, other = first.get(table, {}).get(row, {}), second.get(table, {}).get(row, {})
            lines += [f"{table}, {row}: {column}: {one.get(column)} here, {other.get(column)} there"
                      for column in sorted({*one, *other}) if one.get(column) != other.get(column)]
    return lines
