-- Codes that were taken in from one of our own lists as that defuses them ('-5OFF for -5OFF) get the text by which they
-- are found from now on, and are shown as they are entered. One whose text is another code's already stays as it is:
-- that other code is the one that the list meant.
WITH listed AS (
    SELECT organisation_id, id, regexp_replace(CASE
            -- Their dash is gone, so that the apostrophes before it must be counted where they are shown.
            WHEN shown ~ '^[''[:space:]]*''[[:space:]]*[-－]' THEN
                substr(code, 1 + length(regexp_replace(substring(shown FROM '^[''[:space:]]*'), '[[:space:]]', '', 'g')))
            ELSE code
        END, '^''+(?=[=+@])', '') AS code,
        regexp_replace(coalesce(shown, code), '^[''[:space:]]*''[[:space:]]*(?=[-=+@－＝＋＠])', '') AS shown
    FROM codes WHERE code LIKE '''%'
), defused AS (
    SELECT DISTINCT ON (l.organisation_id, l.code) l.* FROM listed l
    JOIN codes c ON (c.organisation_id, c.id) = (l.organisation_id, l.id) AND c.code <> l.code
    ORDER BY l.organisation_id, l.code, l.id
)
UPDATE codes c SET code = d.code, shown = d.shown FROM defused d
WHERE (c.organisation_id, c.id) = (d.organisation_id, d.id)
    AND NOT EXISTS (SELECT FROM codes o WHERE (o.organisation_id, o.code) = (d.organisation_id, d.code));

-- Lines of an imported list whose code stood in it before or existed already, where they were to be left out.
ALTER TABLE batches ADD COLUMN skipped integer NOT NULL DEFAULT 0;
