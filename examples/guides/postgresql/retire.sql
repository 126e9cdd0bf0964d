-- Once no program uses the old one.
DROP ROLE platform_2027;
