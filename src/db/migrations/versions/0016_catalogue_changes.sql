-- In which transaction each part of a catalogue changed last, so that processes read anew what moved and no more.
CREATE TABLE catalogue_changes (
    organisation_id uuid NOT NULL,
    part text NOT NULL,
    id uuid NOT NULL,
    changed_in xid8 NOT NULL,
    CONSTRAINT catalogue_changes_pkey PRIMARY KEY (organisation_id, part, id)
);
CREATE INDEX catalogue_changes_organisation_id_changed_in_idx ON catalogue_changes (organisation_id, changed_in);

-- Rate tables are read and replaced by the performance that they are of.
CREATE INDEX rates_performance_idx ON rates (organisation_id, performance_id);

CREATE FUNCTION note_catalogue_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    changed record;
    key uuid;
BEGIN
    IF TG_OP = 'DELETE' THEN changed := OLD; ELSE changed := NEW; END IF;
    CASE TG_TABLE_NAME
        WHEN 'rates' THEN key := coalesce(changed.performance_id, changed.product_id);
        WHEN 'offer_limits' THEN key := changed.offer_id;
        ELSE key := changed.id;
    END CASE;
    INSERT INTO catalogue_changes AS c (organisation_id, part, id, changed_in)
    VALUES (changed.organisation_id, TG_ARGV[0], key, pg_current_xact_id())
    ON CONFLICT (organisation_id, part, id) DO UPDATE SET changed_in = excluded.changed_in
    WHERE c.changed_in <> excluded.changed_in;
    RETURN NULL;
END
$$;

CREATE TRIGGER note_catalogue_change AFTER INSERT OR UPDATE OR DELETE ON seasons
    FOR EACH ROW EXECUTE FUNCTION note_catalogue_change('seasons');
CREATE TRIGGER note_catalogue_change AFTER INSERT OR UPDATE OR DELETE ON seat_categories
    FOR EACH ROW EXECUTE FUNCTION note_catalogue_change('seat_categories');
CREATE TRIGGER note_catalogue_change AFTER INSERT OR UPDATE OR DELETE ON audience_sub_categories
    FOR EACH ROW EXECUTE FUNCTION note_catalogue_change('audience_sub_categories');
CREATE TRIGGER note_catalogue_change AFTER INSERT OR UPDATE OR DELETE ON sales_channels
    FOR EACH ROW EXECUTE FUNCTION note_catalogue_change('sales_channels');
CREATE TRIGGER note_catalogue_change AFTER INSERT OR UPDATE OR DELETE ON points_of_sale
    FOR EACH ROW EXECUTE FUNCTION note_catalogue_change('points_of_sale');
CREATE TRIGGER note_catalogue_change AFTER INSERT OR UPDATE OR DELETE ON delivery_modes
    FOR EACH ROW EXECUTE FUNCTION note_catalogue_change('delivery_modes');
CREATE TRIGGER note_catalogue_change AFTER INSERT OR UPDATE OR DELETE ON indicators
    FOR EACH ROW EXECUTE FUNCTION note_catalogue_change('indicators');
CREATE TRIGGER note_catalogue_change AFTER INSERT OR UPDATE OR DELETE ON counter_profiles
    FOR EACH ROW EXECUTE FUNCTION note_catalogue_change('counter_profiles');
CREATE TRIGGER note_catalogue_change AFTER INSERT OR UPDATE OR DELETE ON campaigns
    FOR EACH ROW EXECUTE FUNCTION note_catalogue_change('campaigns');
CREATE TRIGGER note_catalogue_change AFTER INSERT OR UPDATE OR DELETE ON products
    FOR EACH ROW EXECUTE FUNCTION note_catalogue_change('products');
CREATE TRIGGER note_catalogue_change AFTER INSERT OR UPDATE OR DELETE ON performances
    FOR EACH ROW EXECUTE FUNCTION note_catalogue_change('performances');
CREATE TRIGGER note_catalogue_change AFTER INSERT OR UPDATE OR DELETE ON rates
    FOR EACH ROW EXECUTE FUNCTION note_catalogue_change('rates');
CREATE TRIGGER note_catalogue_change AFTER INSERT OR UPDATE OR DELETE ON offers
    FOR EACH ROW EXECUTE FUNCTION note_catalogue_change('offers');
-- Sales move what is taken of limits, which is no part of a catalogue.
CREATE TRIGGER note_catalogue_change
    AFTER INSERT OR DELETE OR UPDATE OF element_kind, quota, per_order, per_contact ON offer_limits
    FOR EACH ROW EXECUTE FUNCTION note_catalogue_change('offers');
