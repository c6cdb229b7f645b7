"""An OS profile: what a machine boots to be installed, and by which installer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from threerc.compiler.model.types import (
    DeviceName,
    Explained,
    KernelArgument,
    Line,
    Model,
    RelativePath,
    Url,
)

Package = Annotated[
    str,
    StringConstraints(pattern=r"^-?(?:@\^?)?[A-Za-z0-9][A-Za-z0-9._+:@-]{0,100}$"),
    Explained(
        "package", "not the name of a package, @group or @^environment, or - and such a name"
    ),
]


def _not_the_initrd(argument: str) -> str:
    """The boot loader would look for it at the TFTP server, and not take the profile's."""
    if argument.startswith("initrd="):
        raise PydanticCustomError("kernel-argument", "the initrd is given by the key `initrd`")
    return argument


class OsProfile(Model):
    """One way to install a machine. Its name is the pxelinux file, and HINFO's first string.

    Neither installer leaves a packet filter behind: the gateway, or a script of the middleware, is
    the place for it.

    When an installer has begun, and when it and the post-install hook are done, it says so to the
    install server, which turns the boot link then: `python -m threerc.testbed.install_server` does,
    on the TFTP host. Any other web server will do as well; then somebody else has to turn the link,
    by `3rc boot HOST local`, or the machine is installed again and again. (Of a virtual machine the
    controllers do so in time.) Where the hook fails, the installer stops and the link stays.
    """

    installer: Literal["kickstart", "preseed", "image", "manual"] = Field(
        description="kickstart (Red Hat, Scientific Linux), preseed (Debian, Ubuntu), image "
        "(unpack a ready image), or manual (a person installs it; INST 1 is then refused)."
    )
    arch: Literal["i386", "x86_64", "aarch64"] = Field(
        default="x86_64", description="Processor architecture."
    )
    kernel: RelativePath = Field(
        description="Installer kernel, below the TFTP root.", examples=["sl4-32/vmlinuz"]
    )
    initrd: RelativePath = Field(
        description="Installer initrd, below the TFTP root.", examples=["sl4-32/initrd.img"]
    )
    repository: Url | None = Field(
        default=None,
        description="Where the installer finds its packages (kickstart, preseed).",
        examples=["http://bibe.sns.it/mirror/sl4-32"],
    )
    image: Url | None = Field(
        default=None,
        description="The image to unpack (image). The initrd finds it on its kernel command line "
        "as `threerc.image=`, the disk to unpack it to as `threerc.disk=`, and as "
        "`threerc.install=` the install server, whose /post/install.sh it then runs inside the new "
        "system.",
        examples=["http://bibe.sns.it/images/sl4-64.tar.gz"],
    )
    arguments: tuple[Annotated[KernelArgument, AfterValidator(_not_the_initrd)], ...] = Field(
        default=(),
        description="Kernel arguments, added after the installer's own.",
        examples=[["console=ttyS0"]],
    )
    packages: tuple[Package, ...] = Field(
        default=(),
        description="Packages to install beyond the base system. kickstart also takes @groups, "
        "an @^environment, and with a - before its name what is not to be installed.",
        examples=[["@^minimal-environment", "openssh-server", "-firewalld"]],
    )
    release: (
        Annotated[
            str,
            StringConstraints(pattern=r"^[A-Za-z0-9.-]{1,32}$"),
            Explained("release", "not a release name"),
        ]
        | None
    ) = Field(
        default=None,
        description="Kickstart syntax version (as `ksvalidator -v` takes it: RHEL4, RHEL9; the "
        "default is RHEL9) or Debian suite (bookworm; the default is the mirror's stable).",
        examples=["RHEL9", "bookworm"],
    )
    disk: DeviceName = Field(
        default="sda", description="Disk to install on; a dual-boot host names its own."
    )
    description: Line = Field(default="", description="For people; becomes a comment.")
