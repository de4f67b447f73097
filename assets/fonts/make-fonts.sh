#!/bin/sh
# Makes the two embedded interface fonts: Noto Sans SC, Regular and Bold, cut
# down to what the interface can show. Reproducible: the same Debian package
# gives the same bytes (timestamps are pinned, layout features dropped).
#
# Needs: fonts-noto-cjk and python3-fonttools. Run from anywhere:
#
#	assets/fonts/make-fonts.sh
#
# Kept: ASCII and Latin-1, GB 2312 level 1 (3755 Hanzi by frequency of use), the
# level-2 Hanzi that occur in names and in our own texts as listed in extra.txt,
# CJK punctuation, full-width forms, and the arrows, marks and bullets the
# screens use. Rarer name characters fall back to the system's fonts.
set -eu
cd "$(dirname "$0")"
python=${PYTHON:-/usr/bin/python3} # Debian's own: python3-fonttools installs there
src=${NOTO_DIR:-/usr/share/fonts/opentype/noto}
export SOURCE_DATE_EPOCH=1700000000
chars=$(mktemp)
trap 'rm -f "$chars"' EXIT

"$python" - "$chars" extra.txt <<'PY'
import sys
out = set(chr(c) for c in range(0x20, 0x7F)) | set(chr(c) for c in range(0xA0, 0x100))
for row in range(0xB0, 0xD8):            # GB 2312 level 1
    for cell in range(0xA1, 0xFF):
        try:
            out.add(bytes((row, cell)).decode("gb2312"))
        except UnicodeDecodeError:
            pass                          # the five empty cells of row 0xD7
for row in (0xA1, 0xA3):                  # punctuation and full-width forms
    for cell in range(0xA1, 0xFF):
        out.add(bytes((row, cell)).decode("gb2312"))
out |= set("←↑→↓↔↕•·…—–‘’“”×÷±≈≤≥°′″✓✗●○■□▲△▼▽★☆①②③④⑤⑥⑦⑧⑨⑩㎡℃¥￥€")
out |= set(open(sys.argv[2], encoding="utf-8").read())
out.discard("\n")
open(sys.argv[1], "w", encoding="utf-8").write("".join(sorted(out)))
PY

for weight in Regular Bold; do
	# The collections hold JP, KR, SC, TC, HK: number 2 is Simplified Chinese.
	"$python" -m fontTools.subset "$src/NotoSansCJK-$weight.ttc" \
		--font-number=2 --text-file="$chars" \
		--output-file="NotoSansSC-$weight.otf" \
		--layout-features=kern,ccmp,mark,mkmk --no-hinting --desubroutinize \
		--name-IDs=0,1,2,3,4,5,6,13,14 --notdef-outline --no-recalc-timestamp
done
ls -l NotoSansSC-*.otf
