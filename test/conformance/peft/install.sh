#!/usr/bin/env bash
# Installs torch, transformers and peft into a virtual environment, for the adapter check on CPU, from PyPI alone.
#
#   test/conformance/peft/install.sh <venv directory>
#
# PyPI has no CPU wheel of torch for Linux on x86-64: the plain install brings gigabytes of CUDA libraries that a CPU never runs. torch is
# linked against them, so the loader still wants files of those names and a definition of every symbol. Here the C compiler makes them:
# one library that defines each missing symbol as a function returning 100 (cudaErrorNoDevice), and an empty library for each missing
# name that leads to it. (The definitions must not stand in a library of the wanted name: there the loader would insist on symbol
# versions.) Elsewhere nothing is missing and no stub is made.
#
# Measured on 2 cores: 30 s and 1.4 GB.
set -euo pipefail

venv=${1:?usage: install.sh <venv directory>}
python3 -m venv "$venv"
pip=("$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-compile)

# What depends on torch goes in without its dependencies, because torch's own are the CUDA libraries; it goes last, so that pip does not
# complain of their absence.
"${pip[@]}" transformers==5.23.0 safetensors numpy sympy networkx jinja2 filelock typing_extensions fsspec psutil
"${pip[@]}" --no-deps torch==2.15.0 peft==0.21.2 accelerate==1.15.0

if [ "$(uname -s)" = Linux ]; then
  lib=$("$venv/bin/python" -c 'import importlib.util as u, pathlib; print(pathlib.Path(u.find_spec("torch").origin).parent / "lib")')
  unresolved() { LD_LIBRARY_PATH=$lib ldd -r "$lib"/*.so 2>/dev/null || true; }
  missing=$(unresolved | awk '/=> not found/ { print $1 }' | sort -u)
  if [ -n "$missing" ]; then
    # Symbols of Python itself and C++ names of torch's own libraries are defined once the process is up.
    unresolved | awk '/undefined symbol:/ { sub(",", "", $3); if ($3 !~ /^(_?Py|_Z)/) print "int " $3 "(void) { return 100; }" }' | sort -u |
      "${CC:-cc}" -w -shared -fPIC -x c - -Wl,-soname,libflexlora_stub.so -o "$lib/libflexlora_stub.so"
    for name in $missing; do
      echo | "${CC:-cc}" -shared -x c - -x none -Wl,-soname,"$name" -Wl,--no-as-needed -Wl,-rpath,"\$ORIGIN" \
        "$lib/libflexlora_stub.so" -o "$lib/$name"
    done
  fi
fi

"$venv/bin/python" -c 'import torch, transformers, peft; print("torch", torch.__version__, "transformers", transformers.__version__, "peft", peft.__version__)'
