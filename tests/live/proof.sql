-- Proves a database complete, independently of lineage-query verify. Prints what is wrong.
-- Reads tables beside the promised views: the numbers of each CPU are kept in one.
CREATE TEMP TABLE event AS
SELECT boot_id, cpu, seq FROM fork WHERE seq IS NOT NULL
UNION ALL SELECT boot_id, cpu, seq FROM exec WHERE seq IS NOT NULL
UNION ALL SELECT boot_id, cpu, seq FROM exec_failure WHERE seq IS NOT NULL
UNION ALL SELECT e.boot_id, e.cpu, e.seq FROM exit e WHERE e.seq IS NOT NULL;
CREATE INDEX temp.event_number ON event (boot_id, cpu, seq);

SELECT printf('cpu %d: number %d is there %d times', cpu, seq, count(*))
FROM event GROUP BY boot_id, cpu, seq HAVING count(*) > 1 LIMIT 10;

SELECT printf('cpu %d: number %d is outside of what was counted', e.cpu, e.seq)
FROM event e LEFT JOIN boot b USING (boot_id)
LEFT JOIN cpu_position c ON c.boot = b.boot AND c.cpu = e.cpu
WHERE c.cpu IS NULL OR e.seq < c.first_seq OR e.seq >= c.next_seq LIMIT 10;

SELECT printf('cpu %d: %d numbers were given, %d rows, %d lost, %d without a row, %d pruned',
  cpu, given, present, lost, unseen, pruned)
FROM (
  SELECT c.cpu, c.next_seq - c.first_seq AS given, c.unseen, c.pruned,
    (SELECT count(*) FROM event e WHERE e.boot_id = b.boot_id AND e.cpu = c.cpu) AS present,
    (SELECT coalesce(sum(g.lost), 0) FROM gap g
     WHERE g.boot_id = b.boot_id AND g.cpu = c.cpu) AS lost
  FROM cpu_position c JOIN boot b USING (boot))
WHERE given <> present + lost + unseen + pruned;

SELECT printf('process %d ended before it began', process_id) FROM exit WHERE lifetime_ns < 0 LIMIT 10;
SELECT printf('pid %d@%d is there %d times', pid, start_boot_ns, count(*))
FROM process GROUP BY boot_id, pid, start_boot_ns HAVING count(*) > 1 LIMIT 10;
SELECT printf('process %d: its parent %d is not there', process_id, parent_id) FROM process
WHERE parent_id IS NOT NULL AND parent_id NOT IN (SELECT process_id FROM process) LIMIT 10;
SELECT 'integrity_check: ' || integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok';
