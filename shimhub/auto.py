"""``import shimhub.auto``: activate this process and the children that it starts from here on."""

from shimhub.activation.here import activate_here

activate_here()
