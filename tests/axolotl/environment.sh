#!/usr/bin/env bash
# environment.sh PYTHON VERSION FOLDER: an environment with that axolotl, above PYTHON's own.
#
# torch, pyarrow and shimhub come from PYTHON's environment; what axolotl pins otherwise is installed
# in front of it. Its dependencies are named by hand: its own metadata asks for CUDA libraries.
set -euo pipefail
python="$1" version="$2" folder="$3"
here="$(dirname "$0")"

if [ -e "$folder/complete" ]; then
    exit 0
fi
"$python" -m venv --clear "$folder"
base="$("$python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
own="$("$folder/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')"
echo "import site; site.addsitedir('$base')" > "$own/zz-base.pth"
"$folder/bin/pip" install --quiet -r "$here/requirements-$version.txt"
if [ "$version" = 0.19.0 ]; then
    "$folder/bin/pip" install --quiet --no-deps axolotl-contribs-lgpl==0.0.7 axolotl-contribs-mit==0.0.6
else
    "$folder/bin/pip" install --quiet --no-deps optimum==1.16.2
fi
# Up to 0.16 there is no wheel, and the build looks at the torch that is installed.
"$folder/bin/pip" install --quiet --no-deps --no-build-isolation "axolotl==$version"
touch "$folder/complete"
