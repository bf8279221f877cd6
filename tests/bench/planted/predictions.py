"""Faults in limits, access and glyphs."""

from __future__ import annotations

from tests.bench.planted.fault import Fault

LIMITS = "predictions/access/limits.py"
TOKENS = "predictions/access/tokens.py"
RESETS = "predictions/access/resets.py"
GLYPH = "predictions/glyphs/glyph.py"
INK = "predictions/glyphs/ink.py"
PHOTOGRAPH = "predictions/glyphs/photograph.py"
MARKS = "predictions/glyphs/marks.py"
LINES = "predictions/glyphs/lines.py"
BOX = "predictions/glyphs/box.py"
VISITORS = "predictions/capture/visitors.py"

OF_LIMITS = (
    "tests/predictions/access/test_limits.py",
    "tests/predictions/access/test_signing_in.py",
    "tests/predictions/api/test_large_images.py",
)
OF_TOKENS = ("tests/predictions/access/test_tokens.py",)
OF_SIGNING_IN = ("tests/predictions/access/test_signing_in.py",)
OF_ROLES = ("tests/labeling/api/test_doors.py", "tests/labeling/pages/test_pages.py")
OF_GLYPH = ("tests/predictions/glyphs/test_glyph.py",)
OF_PAPER = ("tests/predictions/glyphs/test_paper.py",)
OF_BOXES = ("tests/predictions/api/test_api.py",)
OF_AUTHORS = ("tests/predictions/capture/test_authors.py",)

FAULTS: dict[str, list[Fault]] = {
    "limits": [
        Fault(
            "each IPv6 address is a caller of its own",
            LIMITS,
            "IPv6Network((address, 64)",
            "IPv6Network((address, 128)",
            OF_LIMITS,
        ),
        Fault(
            "an IPv4 address has a second spelling in IPv6",
            LIMITS,
            'return getattr(address, "ipv4_mapped", None) or address',
            "return address",
            OF_LIMITS,
        ),
        Fault(
            "the last minute counts for nothing",
            LIMITS,
            "before = self._last_minute[caller] * (1 - elapsed / SECONDS)",
            "before = 0.0",
            OF_LIMITS,
        ),
        Fault(
            "the last request of a limit is refused",
            LIMITS,
            "WHERE shared.taken + excluded.taken <= %s",
            "WHERE shared.taken + excluded.taken < %s",
            OF_LIMITS,
        ),
        Fault(
            "a costly request costs one",
            LIMITS,
            "self._blocks[caller] = left - cost\n",
            "self._blocks[caller] = left - 1\n",
            OF_LIMITS,
        ),
        Fault(
            "a period of a quarter of an hour begins every minute",
            LIMITS,
            "return int(now // SECONDS) // self.minutes * self.minutes",
            "return int(now // SECONDS)",
            OF_LIMITS,
        ),
        Fault(
            "who gets in is counted twice",
            LIMITS,
            'F("taken") - 1',
            'F("taken") + 1',
            OF_LIMITS,
        ),
        Fault(
            "counts that are still needed are forgotten",
            LIMITS,
            "filter(minute__lt=int(",
            "filter(minute__gt=int(",
            OF_LIMITS,
        ),
        Fault(
            "a picture costs one too little",
            LIMITS,
            "max(1, -(-pixels // PIXELS_OF_ONE))",
            "max(1, pixels // PIXELS_OF_ONE)",
            OF_LIMITS,
        ),
        Fault(
            "every endpoint takes the body of a batch",
            LIMITS,
            "if length_of(request) <= limit:",
            "if length_of(request) <= BATCH_BODY_LIMIT:",
            (*OF_LIMITS, "tests/predictions/api/test_api.py"),
        ),
        Fault(
            "one request may cost more than its limit",
            LIMITS,
            "if wanted > most:",
            "if wanted > MOST_COST:",
            OF_LIMITS,
        ),
        Fault(
            "long work may take every thread",
            LIMITS,
            "Slots(max(1, settings.WEB_THREADS // 2))",
            "Slots(settings.WEB_THREADS)",
            OF_LIMITS,
        ),
        Fault(
            "a slot for long work is never given back",
            LIMITS,
            "            self._free.release()\n",
            "",
            OF_LIMITS,
        ),
    ],
    "access": [
        Fault(
            "a token lives for ever",
            TOKENS,
            "if not 1 <= days <= settings.TOKEN_DAYS:",
            "if not 1 <= days:",
            OF_TOKENS,
        ),
        Fault(
            "an unknown scope is dropped without a word",
            TOKENS,
            "if not chosen or set(scopes) - set(chosen):",
            "if not chosen:",
            OF_TOKENS,
        ),
        Fault(
            "a token of an account that was switched off works",
            TOKENS,
            "if not owner.is_active:\n        return None",
            "if owner.is_anonymous:\n        return None",
            OF_TOKENS,
        ),
        Fault(
            "a superuser's token passes every check",
            TOKENS,
            "owner.is_superuser = False",
            "owner.is_superuser = True",
            OF_TOKENS,
        ),
        Fault(
            "a token may do all that its owner may",
            TOKENS,
            "name for name in granted if any(fnmatchcase(name, pattern) for pattern in patterns)",
            "name for name in granted",
            OF_TOKENS,
        ),
        Fault(
            "the scope to read is enough to write",
            TOKENS,
            "{scope, READ} if request.method in SAFE_METHODS else {scope}",
            "{scope, READ}",
            OF_TOKENS,
        ),
        Fault(
            "a revoked token works",
            TOKENS,
            "Token.objects.live().order_by()",
            "Token.objects.order_by()",
            OF_TOKENS,
        ),
        Fault(
            "a new token ends the live one of its name",
            TOKENS,
            "expires_at__lte=Now())",
            "expires_at__gte=Now())",
            OF_TOKENS,
        ),
        Fault(
            "the use of a token is written at every request",
            TOKENS,
            'float("-inf")) < NOTE_EVERY:',
            'float("-inf")) < 0:',
            OF_TOKENS,
        ),
        Fault(
            "one more token than the limit is made",
            TOKENS,
            ".count() >= MOST_TOKENS:",
            ".count() > MOST_TOKENS:",
            OF_TOKENS,
        ),
        Fault(
            "an endpoint that says nothing is open",
            "predictions/access/permissions.py",
            "return False",
            "return True",
            (
                "tests/architecture/test_doors.py",
                "tests/predictions/access",
                "tests/labeling/api/test_doors.py",
            ),
        ),
        Fault(
            "an account without a right is sent to the login in a circle",
            "predictions/access/permissions.py",
            "raise_exception=True",
            "raise_exception=False",
            OF_ROLES,
        ),
        Fault(
            "a labeler who was switched off stays signed in",
            "predictions/access/accounts.py",
            "if not self.user_can_authenticate(user):",
            "if user.is_anonymous:",
            OF_ROLES,
        ),
        Fault(
            "a mailbox gets any number of mails",
            RESETS,
            "        MAILS.take(name)\n",
            "",
            OF_SIGNING_IN,
        ),
        Fault(
            "a mailbox with another spelling has another limit",
            RESETS,
            "mailbox.casefold().encode()",
            "mailbox.encode()",
            OF_SIGNING_IN,
        ),
        Fault(
            "a link that is hours late is mailed",
            RESETS,
            "is_void = reset.asked_at < timezone.now() - GIVEN_UP_AFTER or not is_possible()",
            "is_void = not is_possible()",
            OF_SIGNING_IN,
        ),
        Fault(
            "a link is printed to the log of a public site",
            RESETS,
            "is_void = reset.asked_at < timezone.now() - GIVEN_UP_AFTER or not is_possible()",
            "is_void = reset.asked_at < timezone.now() - GIVEN_UP_AFTER",
            OF_SIGNING_IN,
        ),
        Fault(
            "a link leads to the port that its asker named",
            RESETS,
            'return f"{request.scheme}://{split_domain_port(request.get_host())[0]}"',
            "return told",
            OF_SIGNING_IN,
        ),
        Fault(
            "a token is made for an account that was switched off",
            TOKENS,
            "    if not owner.is_active:\n        raise TokenRefused",
            "    if owner.is_anonymous:\n        raise TokenRefused",
            OF_TOKENS,
        ),
    ],
    "glyph": [
        Fault(
            "the ink is half a pixel off the middle",
            GLYPH,
            "MIDDLE: Final = 14.5",
            "MIDDLE: Final = 14.0",
            OF_GLYPH,
        ),
        Fault(
            "a glyph is blurred by its own framing",
            GLYPH,
            "step = FINE if native else 1",
            "step = 1",
            OF_GLYPH,
        ),
        Fault(
            "a speck on a large picture is a drawing",
            GLYPH,
            "longest * scale < SMALLEST_SHARE * max(whole):",
            "longest * scale < 0:",
            OF_GLYPH,
        ),
        Fault(
            "a filled shape is a drawing",
            GLYPH,
            "if width > THICKEST_STROKE or (filled",
            "if width > THICKEST_STROKE and (filled",
            OF_GLYPH,
        ),
        Fault(
            "hair lines are not widened",
            GLYPH,
            "if width < THINNEST_STROKE and not native:",
            "if width < THINNEST_STROKE and native:",
            OF_GLYPH,
        ),
        Fault(
            "rows and columns are centered by each other",
            GLYPH,
            "_place(rows, step), _place(columns, step)",
            "_place(columns, step), _place(rows, step)",
            OF_GLYPH,
        ),
        Fault(
            "a filtered PNG of another program is read wrong",
            GLYPH,
            "if not rows[:, 0].any():",
            "if rows.size:",
            OF_GLYPH,
        ),
        Fault(
            "light and dark are exchanged",
            INK,
            "strength = STRENGTHS - paper if light_ink else paper - STRENGTHS",
            "strength = paper - STRENGTHS if light_ink else STRENGTHS - paper",
            OF_GLYPH,
        ),
        Fault(
            "a close crop of a thick stroke is inverted",
            INK,
            "return second if near_second.sum() > near_first.sum() else first",
            "return second if near_second.sum() < near_first.sum() else first",
            OF_GLYPH,
        ),
        Fault(
            "pale ink is blank",
            INK,
            "for least in (MIN_CONTRAST, LEAST_CONTRAST):",
            "for least in (MIN_CONTRAST,):",
            OF_PAPER,
        ),
        Fault(
            "only one side of the paper's gray may be ink",
            INK,
            "for light_ink in (likely, not likely):",
            "for light_ink in (likely,):",
            OF_PAPER,
        ),
        Fault(
            "a table beside the paper is ink",
            INK,
            "or are_surroundings(marks_in(seen)).any()",
            "",
            OF_PAPER,
        ),
        Fault(
            "photographs are read in the less likely way alone",
            PHOTOGRAPH,
            "itertools.product(windows, (likely, not likely))",
            "itertools.product(windows, (not likely,))",
            OF_PAPER,
        ),
        Fault(
            "paper of one gray is trusted whatever the border shows",
            PHOTOGRAPH,
            "window == 1.0 and light_ink != light_border",
            "window == 1.0",
            OF_PAPER,
        ),
        Fault(
            "what enters a photograph from its border is kept",
            MARKS,
            "inner = is_mark & (marks.contact == 0)",
            "inner = is_mark",
            OF_PAPER,
        ),
        Fault(
            "printed lines are ink",
            PHOTOGRAPH,
            "(strength > least) & ~lines",
            "strength > least",
            OF_PAPER,
        ),
        Fault(
            "a straight stroke is a printed line",
            LINES,
            ".min() >= AT_ENDS",
            ".min() >= 0",
            OF_PAPER,
        ),
        Fault(
            "the rim of something wide is a stroke",
            PHOTOGRAPH,
            "or is_part_of_area(look, mask, lines)",
            "",
            (*OF_GLYPH, *OF_PAPER),
        ),
        Fault(
            "slopes of light that end at the border are ink",
            PHOTOGRAPH,
            # With black beyond the border the paper is the same: the window's edge is inside.
            'np.pad(dark, 2 * radius + 2, "edge")',
            "np.pad(dark, 2 * radius + 2, constant_values=255)",
            (*OF_GLYPH, *OF_PAPER),
        ),
        Fault(
            "two digits side by side are one",
            GLYPH,
            "    if not columns.all():\n",
            "    if columns.all():\n",
            OF_PAPER,
        ),
        Fault(
            "of two digits far apart the larger is read",
            PHOTOGRAPH,
            "    if found.is_one_of_many:\n",
            "    if not found.is_one_of_many and False:\n",
            OF_PAPER,
        ),
        Fault(
            "two strokes of one digit are two digits",
            GLYPH,
            "> SIDE_BY_SIDE * len(fine):\n            raise SeveralDigits",
            "> 0:\n            raise SeveralDigits",
            OF_PAPER,
        ),
        Fault(
            "grain without any form is read",
            GLYPH,
            "        _refuse_grain(fine, peak)\n",
            "",
            OF_GLYPH,
        ),
        Fault(
            "the box is where it would be on the crop",
            BOX,
            "        left + inner[0] * width,\n",
            "        inner[0] * width,\n",
            OF_BOXES,
        ),
        Fault(
            "a box without an area is taken",
            BOX,
            "0 <= left < right <= 1",
            "0 <= left <= right <= 1",
            OF_BOXES,
        ),
        Fault(
            "the whole drawing is stored, not what was read",
            "predictions/capture/capture.py",
            "    if box:\n        gray = cropped(gray, box)\n",
            "    if box:\n"
            "        return Sketch(glyph_of(cropped(gray, box)), thumbnail_png(gray))\n",
            OF_BOXES,
        ),
        Fault(
            "a signed-in person is another author in each browser",
            VISITORS,
            "if user_id is not None:",
            "if user_id is not None and visitor is None:",
            OF_AUTHORS,
        ),
    ],
}
