"""Who is meant: the gateway's user id (S30), and what the operating system knows about a person.

No call leaves the machine. What the system does not know raises :class:`IdentityError`, a ``LookupError``, on
which provisioning warns and goes on with its defaults (S32).
"""

from __future__ import annotations

import getpass
import os

LOGIN = "login"
"""The word that stands for the operating system's login name. A person called so is
``user:default/login``."""


class IdentityError(LookupError):
    """The operating system does not know; ``str()`` is a sentence that says what was asked."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else "The operating system does not know."


def map_user_id(name: str, domain: str | None = None) -> str:
    """The gateway's user id for a name (S30): ``user:default/ada`` or ``ada`` is ``ada``.

    With ``domain`` ``example.com`` it is ``ada@example.com``; a name that holds ``@`` is left alone.
    Raises ``ValueError`` for a name with nothing in it (S5: an empty id must never reach the gateway).
    """
    bare = _bare(name)
    suffix = (domain or "").strip().removeprefix("@")
    return f"{bare}@{suffix}" if suffix and "@" not in bare else bare


def unix_account(name: str, domain: str | None = None) -> str:
    """The account on this machine that a name stands for: as :func:`map_user_id`, less the configured domain.

    With ``domain`` ``example.com`` both ``ada`` and ``ada@example.com`` are the account ``ada``.
    """
    bare = _bare(name)
    suffix = (domain or "").strip().removeprefix("@")
    local, _, host = bare.rpartition("@")
    return local if local and suffix and host.casefold() == suffix.casefold() else bare


def is_login(name: str) -> bool:
    """Whether a configured user is the word that stands for the login name (S37)."""
    return name.strip() == LOGIN


def login_name() -> str:
    """The login name of whoever started the program, by user id; the environment only where that has no
    account."""
    try:
        import pwd

        return pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        pass
    try:
        return getpass.getuser()
    # Python 3.13 raises OSError, earlier ones KeyError or ImportError.
    except (OSError, KeyError, ImportError):
        raise IdentityError("The operating system has no login name for this user; name one with --user.") from None


def display_name(account: str | None = None) -> str | None:
    """The full name (first GECOS field) of an account, the login user's by default; None where there is
    none."""
    try:
        import pwd

        gecos = pwd.getpwnam(account or login_name()).pw_gecos
    except (ImportError, LookupError, ValueError, OSError):
        return None
    first = gecos.split(",", 1)[0]
    # By old custom "&" stands for the capitalised login name.
    first = first.replace("&", (account or login_name()).capitalize())
    return "".join(c for c in first if c.isprintable()).strip() or None


def groups(account: str | None = None) -> list[str]:
    """The names of an account's Unix groups, the login user's by default: the primary one first, then in
    order.

    Group ids without a name are left out: no role can name them. Raises :class:`IdentityError` where there is
    no such account, no name for any of its groups, or no Unix groups at all (S32: warn, use the defaults).
    """
    name = account or login_name()
    try:
        import grp
        import pwd
    except ImportError:
        raise IdentityError("This operating system has no Unix groups.") from None
    try:
        ids = os.getgrouplist(name, pwd.getpwnam(name).pw_gid)
    except (KeyError, ValueError, OSError):
        raise IdentityError(f"There is no account {name!r} on this machine to take groups from.") from None
    found: list[str] = []
    for number in ids:
        try:
            group = grp.getgrgid(number).gr_name
        except (KeyError, OSError):
            continue
        if group not in found:
            found.append(group)
    if not found:
        raise IdentityError(f"None of the groups of {name!r} has a name on this machine.")
    return found


def _bare(name: str) -> str:
    bare = name.strip()
    if bare[:5].casefold() == "user:":
        bare = bare[5:].rpartition("/")[2].strip()
    if not bare:
        raise ValueError("The user's name is empty.")
    return bare
